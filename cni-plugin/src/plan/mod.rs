//! Which steps turn a fresh link into a container's interface. Pure.
//!
//! [`Fresh`] is the link to be made, [`Outline::shape`] what it is to become, [`Shape::steps`] how;
//! [`ground`] what is changed on the node first. [`whole()`] puts them together for `cnictl explain`
//! and for the cases in `tests/plans`; an ADD calls them one by one, while it waits for the store.

mod fresh;
mod outline;
mod parent;
mod shape;
mod show;
mod vlan;
mod whole;

use std::net::IpAddr;

use berth_types::{LocalPort, MacAddr, VlanId};
use ipnetwork::IpNetwork;

pub use fresh::Fresh;
pub use outline::{Granted, Outline};
pub use parent::{mac, mtu, parent};
pub use shape::{Announce, Gateways, Routers, Shape, cidr, routes_of};
pub use vlan::vlan;
pub use whole::{NodeStep, Seen, Whole, ground, whole};

use crate::bandwidth::Shaping;
use crate::host::{Macvlan, Veth};
use crate::host_access::Access;

/// The link to be made in the container's namespace, before its address is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewLink {
    /// A macvlan on an interface of the node.
    Macvlan(Macvlan),
    /// A pair whose other end is a port of an Open vSwitch bridge.
    Veth(Veth),
}

impl NewLink {
    /// Its MTU in bytes.
    pub const fn mtu(&self) -> u32 {
        match self {
            Self::Macvlan(macvlan) => macvlan.mtu,
            Self::Veth(veth) => veth.mtu,
        }
    }
}

/// One change to the new interface. None needs undoing by itself: removing the link, and
/// the device that a limit leads what arrives through, undoes all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Have it take no address and no route from a router's advertisements.
    IgnoreRouters,
    /// Allow IPv6 on it, and on `lo`.
    EnableIpv6,
    /// Ask the LAN whether anybody has one of these addresses, under the hardware address that the
    /// link was made with; it is down again afterwards.
    Probe(Vec<IpNetwork>),
    /// Give it its hardware address.
    Prepare {
        /// The hardware address; absent to keep the one it has.
        mac: Option<MacAddr>,
    },
    /// Make the node's end a port of its bridge, in the database.
    AddPort(Port),
    /// Wait until the bridge switches the port's frames.
    AwaitPort(LocalPort),
    /// Set an address.
    Address(IpNetwork),
    /// Bring it up.
    Up,
    /// Set a route.
    Route {
        /// Destination.
        destination: IpNetwork,
        /// Next hop.
        gateway: IpAddr,
    },
    /// See that gateways answer: each with the interface's own address of its family.
    FindGateways(Vec<(IpAddr, IpAddr)>),
    /// Tell the neighbours of its addresses.
    Announce(Vec<IpAddr>),
    /// Lead node and container to each other.
    GiveAccess(Access),
    /// Limit its traffic.
    Limit(Shaping),
}

/// A port of an Open vSwitch bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Where it is to be.
    pub place: LocalPort,
    /// The hardware address of the container's end.
    pub mac: MacAddr,
    /// The VLAN it is an access port of; untagged when absent.
    pub vlan: Option<VlanId>,
}
