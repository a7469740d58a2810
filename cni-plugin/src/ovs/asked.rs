//! A port that the database was asked for, on the way to being switched.
//!
//! `ovs-vswitchd` takes 2 ms for a port, and the store about as long for an address: so the port is
//! asked for first, in the VLAN that is believed, and gets what follows from the address later. No
//! frame passes in the meantime: the container's end is down.

use std::time::Duration;

use berth_ipam::fault::checkpoint;
use berth_ipam::uptime_ms;
use berth_types::{MacAddr, VlanId};

use super::bridge::{remove_seen, succeeded};
use super::client::{Client, OvsdbError, Sent};
use super::port::{self, Applied, Made, NewPort};
use super::retag;
use crate::clock::{pause, wait_out};
use crate::spec::{CniError, Code};

/// How long `ovs-vswitchd` has to take a port up. It takes 2 ms.
const APPLYING: Duration = Duration::from_secs(5);
/// How long frames of the former VLAN may still find their way to a port that has left it: the
/// switch looks through the flows it remembers when anything changes, and at the latest after
/// `max-revalidator`, half a second.
const STALE: Duration = Duration::from_secs(1);

/// A port that the database was asked for.
#[derive(Debug)]
pub struct Asked {
    client: Client,
    new: NewPort,
    /// The answer to come, whether the port is made.
    made: Option<Sent>,
    /// The answer to come, whether it is switched.
    applied: Sent,
    /// The answer to come, whether its hardware address is noted.
    noted: Option<Sent>,
}

impl Asked {
    /// Asks for the port, and to be told when it is switched; waits for neither.
    ///
    /// # Errors
    /// [`OvsdbError`].
    pub fn ask(mut client: Client, new: NewPort) -> Result<Self, OvsdbError> {
        let timeout_ms = u64::try_from(APPLYING.as_millis()).unwrap_or(u64::MAX);
        let made = client.begin(&new.operations())?;
        let name = new.port.name.as_str();
        let applied = client.begin(&port::applied_operations(name, timeout_ms))?;
        Ok(Self {
            client,
            new,
            made: Some(made),
            applied,
            noted: None,
        })
    }

    /// Sees that the port is in the database, in that VLAN and with that hardware address. Ports
    /// that earlier lives of the attachment left go: of one container's interface only one life is
    /// to be heard.
    ///
    /// # Errors
    /// Code 7 without such a bridge or with a hardware address asked for that is another's, 11 with OVSDB away or the port's name another's, 999.
    pub fn settle(&mut self, vlan: Option<VlanId>, mac: MacAddr) -> Result<(), CniError> {
        self.wait_made()?;
        if self.new.asked_mac.is_none() {
            let operation = port::mac_operation(self.new.port.name.as_str(), mac);
            self.noted = Some(self.client.begin(&[operation])?);
        }
        if self.new.vlan == vlan {
            return Ok(());
        }
        self.retag(vlan)
    }

    /// Waits until the port is in the database. May be repeated.
    ///
    /// # Errors
    /// As [`Asked::settle`].
    pub fn wait_made(&mut self) -> Result<(), CniError> {
        let Some(made) = self.made.take() else {
            return Ok(());
        };
        let results = self.client.finish(made, Duration::ZERO)?;
        let NewPort {
            port, attachment, ..
        } = &self.new;
        match (port::made(&results), self.new.asked_mac) {
            (Made::Yes, _) => Ok(remove_seen(&mut self.client, &port::leftovers(&results))?),
            (Made::NoBridge, _) => {
                let remedy = "name a bridge that `ovs-vsctl list-br` lists on this node";
                Err(CniError::field("bridge", &port.bridge, remedy))
            }
            (Made::NameTaken, _) => {
                let name = &port.name;
                let message = format!("port {name} exists, and is not of {attachment}");
                Err(CniError::new(Code::TryAgain, message)
                    .details(format!("see whose it is: ovs-vsctl list port {name}")))
            }
            (Made::MacTaken, Some(mac)) => {
                let remedy = "another port of this node has it: ask for another";
                Err(CniError::field("mac", mac, remedy))
            }
            (Made::MacTaken, None) => Err(refused("its hardware address is another's")),
            (Made::Refused(words), _) => Err(refused(&words)),
        }
    }

    /// Puts the port into that VLAN, and waits until it gets no frame of its former one.
    fn retag(&mut self, vlan: Option<VlanId>) -> Result<(), CniError> {
        let name = self.new.port.name.clone();
        let results = self
            .client
            .transact(&retag::operations(name.as_str(), vlan), Duration::ZERO)?;
        succeeded(&results)?;
        checkpoint("add.port.retagged");
        let number = retag::number(&results).ok_or_else(|| gone(name.as_str()))?;
        let begun = uptime_ms();
        while retag::done(
            &self
                .client
                .transact(&[retag::done_operation()], Duration::ZERO)?,
        )
        .is_none_or(|done| done < number)
        {
            if u128::from(uptime_ms().saturating_sub(begun)) > APPLYING.as_millis() {
                return Err(idle(name.as_str()));
            }
            pause();
        }
        wait_out(STALE);
        self.new.vlan = vlan;
        Ok(())
    }

    /// Waits until `ovs-vswitchd` switches the port's frames.
    ///
    /// # Errors
    /// Code 11 when it does not in time, 999 with its words when it cannot.
    pub fn wait_applied(&mut self) -> Result<(), CniError> {
        let results = self.client.finish(self.applied, APPLYING)?;
        let name = self.new.port.name.as_str();
        match port::applied(&results) {
            Applied::Yes => {}
            Applied::NotYet => return Err(idle(name)),
            Applied::Refused(words) => {
                let message = format!("ovs-vswitchd cannot take port {name} up: {words}");
                return Err(
                    CniError::new(Code::Internal, message).details("see ovs-vswitchd's log")
                );
            }
            Applied::Gone => return Err(gone(name)),
        }
        let noted = self
            .noted
            .take()
            .map(|noted| self.client.finish(noted, Duration::ZERO));
        Ok(noted
            .transpose()?
            .map_or(Ok(()), |results| succeeded(&results))?)
    }
}

fn idle(name: &str) -> CniError {
    let message = format!("ovs-vswitchd did not take port {name} up within {APPLYING:?}");
    CniError::new(Code::TryAgain, message)
        .details("check that ovs-vswitchd runs and answers: ovs-appctl version")
}

fn gone(name: &str) -> CniError {
    let message = format!("port {name} was removed by somebody else");
    CniError::new(Code::TryAgain, message)
        .details("another program manages this bridge's ports: keep it from berth's")
}

fn refused(words: &str) -> CniError {
    CniError::new(Code::Internal, format!("OVSDB refused the port: {words}"))
        .details("see ovsdb-server's log")
}
