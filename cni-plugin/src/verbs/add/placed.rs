//! On which of the node's interfaces the link is made: the master, or its VLAN sub-interface.

use std::os::fd::AsFd as _;

use berth_ipam::fault::checkpoint;
use berth_types::VlanId;

use super::Work;
use crate::files::Tagging;
use crate::host::{Link, Macvlan, Netlink, switch_ipv6_off};
use crate::plan::{self, NewLink};
use crate::spec::CniError;
use crate::verbs::given::Given;
use crate::vlan::{self, Unmade, build_on};

/// A link that is made.
pub(super) struct Placed {
    /// The VLAN it was made for.
    vlan: Option<VlanId>,
    /// The node's interface it stands on.
    pub(super) parent: Link,
}

impl Work<'_> {
    /// Makes the link before its address is known, unless the pool is to say in which VLAN.
    pub(super) fn place_early(&self, host: &mut Netlink) -> Result<Option<Placed>, CniError> {
        let pool = self.wanted.wish.pools.first();
        let tagged = |pool| matches!(self.files.tagging(pool), Tagging::In(_) | Tagging::Several);
        match self.link.vlan {
            None if self.is_on_parent() && pool.is_some_and(tagged) => Ok(None),
            vlan => self.place(host, vlan).map(Some),
        }
    }

    /// The link as its addresses want it: the one that was made early, or one in its place. A link in
    /// the wrong VLAN was never up.
    pub(super) fn place_for(
        &self,
        host: &mut Netlink,
        given: &Given,
        early: Option<Placed>,
    ) -> Result<Placed, CniError> {
        let vlan = self.vlan(given)?;
        match (early, vlan) {
            (Some(placed), vlan) if placed.vlan == vlan || !self.is_on_parent() => {
                return Ok(placed);
            }
            (Some(_), _) => {
                self.note_tagging(given, vlan);
                self.unplace()?;
            }
            (None, Some(_)) => {}
            (None, None) => self.note_tagging(given, None),
        }
        self.place(host, vlan)
    }

    fn note_tagging(&self, given: &Given, vlan: Option<VlanId>) {
        if let Some(pool) = given.pool() {
            self.files.note_tagging(pool, Tagging::of(vlan));
        }
    }

    /// Removes the link that was just made in the container's namespace, where this runs.
    fn unplace(&self) -> Result<(), CniError> {
        let mut inside = Netlink::open()?;
        if let Some(link) = inside.link_by_name(&self.id.ifname)? {
            inside.delete_link(link.index)?;
        }
        checkpoint("add.unplaced");
        Ok(())
    }

    /// Whether the link stands on an interface of its VLAN: a pair's VLAN is its port's.
    const fn is_on_parent(&self) -> bool {
        matches!(self.fresh, NewLink::Macvlan(_))
    }

    /// The VLAN that the interface is to be in.
    pub(super) fn vlan(&self, given: &Given) -> Result<Option<VlanId>, CniError> {
        let addresses = given.addresses()?;
        plan::vlan(self.link.vlan, addresses.iter().map(|(_, subnet)| subnet))
    }

    /// Makes the link, with what it needs on the node.
    fn place(&self, host: &mut Netlink, vlan: Option<VlanId>) -> Result<Placed, CniError> {
        let target = self.netns.as_fd();
        let parent = match (&self.fresh, vlan) {
            (NewLink::Macvlan(macvlan), Some(vlan)) => self.place_tagged(host, macvlan, vlan)?,
            (NewLink::Macvlan(macvlan), None) => {
                let made = host.create_macvlan(macvlan, target);
                made.map_err(|error| self.explain(&error))?;
                self.parent.clone()
            }
            (NewLink::Veth(veth), _) => {
                let made = host.create_veth(veth, target);
                made.map_err(|error| self.explain(&error))?;
                // A switch outside the kernel leaves a copy of each frame to the node, where a
                // container would pass for a router.
                switch_ipv6_off(veth.host.as_str())?;
                self.parent.clone()
            }
        };
        checkpoint("add.linked");
        Ok(Placed { vlan, parent })
    }

    fn place_tagged(
        &self,
        host: &mut Netlink,
        macvlan: &Macvlan,
        vlan: VlanId,
    ) -> Result<Link, CniError> {
        let wanted = vlan::Wanted {
            parent: &self.parent,
            vlan,
            mtu: self.link.mtu,
        };
        let made = build_on(host, wanted, |host, parent| {
            let macvlan = Macvlan {
                parent: parent.index,
                mtu: plan::mtu(self.link.mtu, parent)?,
                ..macvlan.clone()
            };
            let made = host.create_macvlan(&macvlan, self.netns.as_fd());
            made.map_err(Unmade::Refused)
        });
        made.map_err(|error| match error {
            Unmade::Unfit(error) => error,
            Unmade::Refused(error) => self.explain(&error),
        })
    }
}
