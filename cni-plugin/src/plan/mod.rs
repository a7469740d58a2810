//! Which steps turn a fresh link into a container's interface. Pure.

mod parent;
mod shape;

use std::net::IpAddr;

use berth_types::MacAddr;
use ipnetwork::IpNetwork;

pub use parent::{mac, mtu};
pub use shape::{Shape, cidr, routes_of};

use crate::bandwidth::Shaping;
use crate::host::{Announce, Macvlan};

/// The link to be made in the container's namespace, before its address is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewLink {
    /// A macvlan on an interface of the node.
    Macvlan(Macvlan),
}

impl NewLink {
    /// Its MTU in bytes.
    pub const fn mtu(&self) -> u32 {
        match self {
            Self::Macvlan(macvlan) => macvlan.mtu,
        }
    }
}

/// One change to the new interface. None needs undoing by itself: removing the link, and
/// the device that a limit leads what arrives through, undoes all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Allow IPv6 on it, and on `lo`.
    EnableIpv6,
    /// Give it its hardware address, and say whether its addresses are announced.
    Prepare {
        /// The hardware address; absent to keep the one it has.
        mac: Option<MacAddr>,
        /// Whether neighbours are told.
        announce: Announce,
    },
    /// Set an address.
    Address(IpNetwork),
    /// Bring it up; with its addresses on, this announces them.
    Up,
    /// Set a route.
    Route {
        /// Destination.
        destination: IpNetwork,
        /// Next hop.
        gateway: IpAddr,
    },
    /// Limit its traffic.
    Limit(Shaping),
}
