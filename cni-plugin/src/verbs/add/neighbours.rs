//! The steps that talk to the neighbours on the LAN, and what the store is told of their answers.

use std::fmt;
use std::io::{self, Write as _};
use std::net::IpAddr;

use berth_ipam::IpamError;
use berth_ipam::fault::checkpoint;
use berth_types::MacAddr;
use ipnetwork::IpNetwork;

use super::Work;
use super::build::{Fault, Unbuilt};
use crate::host::Netlink;
use crate::plan::Shape;
use crate::spec::{CniError, Code};
use crate::verbs::given::Given;
use crate::verbs::source::Source;
use crate::wire::{self, Asked, Conflict, Schedule};

impl Work<'_> {
    /// Asks whether anybody has one of the addresses. The link is up meanwhile, and down again when
    /// nobody has: nothing that the kernel derives from its first hardware address stays.
    pub(super) fn probe(
        &self,
        netlink: &mut Netlink,
        index: u32,
        addresses: &[IpNetwork],
    ) -> Result<(), Fault> {
        netlink
            .link_up(index)
            .map_err(|error| self.explain(&error))?;
        self.needs_carrier(netlink, index)?;
        let mac = own_mac(netlink, index)?;
        let asked = wire::probe(index, mac, addresses, schedule()?);
        let Asked { conflicts, proxies } = asked.map_err(|error| self.deaf(error))?;
        for Conflict { address, mac } in proxies {
            // Nobody reads a warning that cannot be written.
            drop(writeln!(
                io::stderr(),
                "berth: warning: {mac} answers for {address} and for everything else: whether \
                 anybody has it cannot be told"
            ));
        }
        let Some(first) = conflicts.first() else {
            return Ok(netlink.link_down(index)?);
        };
        let Conflict { address, mac } = *first;
        Err(Fault {
            error: IpamError::Conflict { address, mac }.into(),
            answered: conflicts.iter().map(|conflict| conflict.address).collect(),
        })
    }

    /// Sees that every gateway answers.
    pub(super) fn find_gateways(
        &self,
        netlink: &mut Netlink,
        index: u32,
        gateways: &[(IpAddr, IpAddr)],
    ) -> Result<(), CniError> {
        let mac = own_mac(netlink, index)?;
        let silent = wire::find_gateways(index, mac, gateways, schedule()?);
        let silent = silent.map_err(|error| self.deaf(error))?;
        let Some(gateway) = silent.first() else {
            return Ok(());
        };
        let parent = &self.parent.name;
        let message = format!("gateway {gateway} does not answer on {parent}");
        Err(CniError::new(Code::GatewaySilent, message).details(format!(
            "see that it is up, and that {parent} is in its VLAN; or set \"gatewayCheck\": false"
        )))
    }

    /// Writes down in the store which of a lease's addresses somebody else has on the wire. One
    /// request where the store does not know that already; of an ordinary ADD it does.
    pub(super) fn note_wire(
        &self,
        source: Option<&Source<'_>>,
        given: Given,
        answered: &[IpAddr],
    ) -> Result<Given, CniError> {
        let lease = match given {
            Given::Lease(lease) => lease,
            // Of another plugin's addresses there is nobody to be told.
            Given::Answer { .. } => return Ok(given),
        };
        let Some(allocator) = source.and_then(Source::allocator) else {
            return Ok(Given::Lease(lease));
        };
        let request = self.request();
        let noted = allocator.ipam.note_wire(&request, lease, answered);
        let noted = allocator.wait(noted)?;
        checkpoint("add.noted");
        Ok(Given::Lease(noted))
    }

    /// Marks the addresses that somebody else has, so that after their release nobody is given them
    /// without asking again.
    pub(super) fn keep_out(
        &self,
        source: Option<&Source<'_>>,
        given: Given,
        unbuilt: Unbuilt,
    ) -> CniError {
        let Unbuilt {
            error,
            linked: _,
            answered,
        } = unbuilt;
        if answered.is_empty() {
            return error;
        }
        match self.note_wire(source, given, &answered) {
            Ok(_) => error,
            Err(unmarked) => error.details(format!("could not be marked: {unmarked}")),
        }
    }

    /// Without a cable everything is silent.
    fn needs_carrier(&self, netlink: &mut Netlink, index: u32) -> Result<(), CniError> {
        if netlink.has_carrier(index)? {
            Ok(())
        } else {
            Err(self.deaf("no carrier"))
        }
    }

    /// Nobody could be asked, so that nothing is known.
    fn deaf(&self, error: impl fmt::Display) -> CniError {
        let message = format!(
            "the neighbours on {} cannot be asked: {error}",
            self.parent.name
        );
        CniError::new(Code::TryAgain, message).details(format!(
            "see that {} has a carrier: ip link show {0}",
            self.parent.name
        ))
    }
}

/// The node itself is the neighbour that a macvlan on it never hears, and whose own address the LAN
/// would find at the container from then on.
pub(super) fn compare_with_node(host: &mut Netlink, shape: &Shape) -> Result<(), Fault> {
    let mut answered = Vec::new();
    for (address, _) in &shape.addresses {
        if host.is_own(*address)? {
            answered.push(*address);
        }
    }
    let Some(address) = answered.first() else {
        return Ok(());
    };
    let message = format!("address {address} is an address of the node itself");
    let error = CniError::new(Code::AddressConflict, message)
        .details("keep it out of the pool: cnictl pool exclude");
    Err(Fault { error, answered })
}

/// Tells the neighbours. One whose cable is out has none to tell, and works once it is in.
pub(super) fn announce(
    netlink: &mut Netlink,
    index: u32,
    addresses: &[IpAddr],
) -> Result<(), CniError> {
    let mac = own_mac(netlink, index)?;
    if let Err(error) = wire::announce(index, mac, addresses) {
        tracing::warn!(%error, "not announced");
    }
    Ok(())
}

/// The hardware address that the link has at the time.
fn own_mac(netlink: &mut Netlink, index: u32) -> Result<MacAddr, CniError> {
    let link = netlink.link_by_index(index)?;
    let gone = || CniError::new(Code::Internal, "the new link has vanished");
    link.and_then(|link| link.mac).ok_or_else(gone)
}

fn schedule() -> Result<Schedule, CniError> {
    let mut random = [0; Schedule::TIMES];
    getrandom::fill(&mut random)
        .map_err(|error| CniError::new(Code::Internal, format!("no randomness: {error}")))?;
    Ok(Schedule::new(random))
}
