//! The port of the interface's bridge: asked for before the address is known, where its VLAN is.

use std::sync::atomic::Ordering;

use berth_ipam::fault::checkpoint;
use berth_types::{PoolName, VlanId};

use super::Work;
use crate::files::Tagging;
use crate::ovs::{Asked, Client, NewPort, pending};
use crate::plan::Port;
use crate::spec::{CniError, IpamConfig};

impl Work<'_> {
    /// Asks for the port at once, unless it cannot be told in which VLAN it is to be. Its link has to
    /// exist, and the container's end to be down: no frame passes before [`Work::add_port`].
    pub(super) fn ask_port_early(&self) -> Result<Option<Asked>, CniError> {
        if self.port.is_none() {
            return Ok(None);
        }
        let believed = match (self.link.vlan, self.tagging_pool(), &self.config.ipam) {
            (Some(vlan), _, _) => Tagging::In(vlan),
            // Another plugin's addresses are in no VLAN.
            (None, _, IpamConfig::Other(_)) => Tagging::Untagged,
            (None, pool, IpamConfig::Own(_)) => {
                pool.map_or(Tagging::Several, |pool| self.files.tagging(pool))
            }
        };
        match believed {
            Tagging::In(vlan) => self.ask_port(Some(vlan)),
            Tagging::Untagged => self.ask_port(None),
            Tagging::Unseen | Tagging::Several => Ok(None),
        }
    }

    /// Sees that the port is there as it is to be, asked for already or not.
    pub(super) fn add_port(
        &self,
        asked: &mut Option<Asked>,
        Port {
            place: _,
            mac,
            vlan,
        }: &Port,
    ) -> Result<(), CniError> {
        self.learn_tagging(*vlan);
        if asked.is_none() {
            *asked = self.ask_port(*vlan)?;
        }
        let asked = asked.as_mut();
        asked.map_or(Ok(()), |asked| asked.settle(*vlan, *mac))
    }

    fn ask_port(&self, vlan: Option<VlanId>) -> Result<Option<Asked>, CniError> {
        let Some(port) = self.port.clone() else {
            return Ok(None);
        };
        if self.mac.is_some() {
            // Of the port that bore it before, perhaps, whose container ended with the database away.
            pending::drain(&self.config.state_dir);
        }
        let client = Client::connect(&port.socket)?;
        self.port_asked.store(true, Ordering::Relaxed);
        pending::forget_of(&self.config.state_dir, &self.id);
        let new = NewPort {
            port,
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            pod: self.wanted.wish.pod.clone(),
            asked_mac: self.mac,
            vlan,
        };
        let asked = Asked::ask(client, new)?;
        checkpoint("add.port.asked");
        Ok(Some(asked))
    }

    /// The pool whose VLAN is to be believed: of one that is only the second choice, or of certain
    /// addresses, nothing can be told.
    fn tagging_pool(&self) -> Option<&PoolName> {
        let wish = &self.wanted.wish;
        let any = wish.exact.is_empty() && wish.reservation.is_none();
        wish.pools.first().filter(|_| any)
    }

    fn learn_tagging(&self, vlan: Option<VlanId>) {
        let (None, Some(pool)) = (self.link.vlan, self.tagging_pool()) else {
            return;
        };
        let known = self.files.tagging(pool);
        let learnt = known.learn(vlan);
        if learnt != known {
            self.files.note_tagging(pool, learnt);
        }
    }
}
