//! Talking to the neighbours on the LAN: does anybody have this address, is the gateway there, and
//! here we are.
//!
//! - [`arp`] and [`ndp`] make and read frames; [`Said`] is what a frame says, whichever family.
//! - [`conflict`] and [`proxy`] decide what was heard; [`Schedule`] when to ask.
//! - [`Port`] is the socket, bound to one interface of the calling thread's namespace.
//! - [`probe`], [`find_gateways`] and [`announce`] put them together.
//!
//! A probe is sent under a hardware address that nobody else has: whoever bears the one that follows
//! from the address hears nothing that comes from that one, and the switch would not deliver its
//! answer.

pub mod arp;
mod ask;
mod hear;
pub mod ndp;
mod port;
mod schedule;

use std::net::{IpAddr, Ipv4Addr};

use berth_types::{Family, MacAddr};

pub use ask::{Asked, WireError, announce, find_gateways, probe};
pub use hear::{Conflict, answers, conflict, proxy};
pub use port::Port;
pub use schedule::Schedule;

/// Six bytes of a frame that should be a hardware address.
type Bytes = [u8; 6];

/// What a frame says of who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The sender has it.
    Has {
        /// The address.
        address: IpAddr,
        /// Where it is.
        mac: MacAddr,
    },
    /// The sender, who has no address yet, asks whether anybody has it.
    Probes {
        /// The address.
        address: IpAddr,
        /// Who asks.
        mac: MacAddr,
    },
}

/// Reads a frame; `None` when it says nothing of an address, or is malformed.
pub fn read(frame: &[u8]) -> Option<Said> {
    arp::read(frame).or_else(|| ndp::read(frame))
}

/// Asks everybody whether they have `address`, without laying claim to it.
pub fn probe_frame(mac: MacAddr, address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => arp::request(mac, Ipv4Addr::UNSPECIFIED, v4),
        IpAddr::V6(v6) => ndp::probe(mac, v6),
    }
}

/// Asks for the hardware address of `address`, from `own`; `None` where they are of two families.
pub fn question_frame(mac: MacAddr, own: IpAddr, address: IpAddr) -> Option<Vec<u8>> {
    match (own, address) {
        (IpAddr::V4(own), IpAddr::V4(v4)) => Some(arp::request(mac, own, v4)),
        (IpAddr::V6(own), IpAddr::V6(v6)) => Some(ndp::question(mac, own, v6)),
        _ => None,
    }
}

/// Tells everybody that `address` is at `mac`.
///
/// In IPv4 as a request and as a reply, because some listen to one of them only.
pub fn announcement_frames(mac: MacAddr, address: IpAddr) -> Vec<Vec<u8>> {
    match address {
        IpAddr::V4(v4) => vec![arp::request(mac, v4, v4), arp::announcement(mac, v4)],
        IpAddr::V6(v6) => vec![ndp::announcement(mac, v6)],
    }
}

/// The Ethernet type of what is said about addresses of that family.
const fn ethertype(family: Family) -> u16 {
    match family {
        Family::V4 => 0x0806,
        Family::V6 => 0x86dd,
    }
}

/// The first of two fields of a frame that can be an interface's hardware address.
fn mac_of(said: Bytes, source: Bytes) -> Option<MacAddr> {
    let mac = MacAddr::from_bytes(said).or_else(|_| MacAddr::from_bytes(source));
    mac.ok()
}
