//! Where the other end of a packet is.

use aya_ebpf::maps::lpm_trie::Key;
use berth_ebpf_common::Scope;

use crate::count::Way;
use crate::maps::{NEAR4, NEAR6, SCOPE4, scope6};
use crate::packet::{ETH_BYTES, ETH_IPV4_BYTES, ETH_IPV6_BYTES, Head, IPV4, IPV6, Packet, network};

/// Of a packet whose headers are where they nearly always are; else what [`elsewhere`] finds.
#[inline(always)]
pub fn scope(packet: Packet, way: Way) -> u32 {
    let receives = matches!(way, Way::Receive);
    let Some(head) = packet.head(ETH_IPV4_BYTES) else {
        return elsewhere(packet, receives);
    };
    if head.ethertype() == IPV4 {
        if is_to_group(head) {
            return Scope::Other as u32;
        }
        return of4(head.read(ETH_BYTES + field4(receives)));
    }
    let Some(head) = packet.head(ETH_IPV6_BYTES) else {
        return elsewhere(packet, receives);
    };
    if head.ethertype() != IPV6 {
        return elsewhere(packet, receives);
    }
    if is_to_group(head) {
        return Scope::Other as u32;
    }
    let at = ETH_BYTES + field6(receives);
    of6([head.read(at), head.read(at + 8)])
}

/// Behind tags, in a packet that is in pieces, or nowhere.
#[cold]
#[inline(never)]
fn elsewhere(packet: Packet, receives: bool) -> u32 {
    peer(packet, receives).unwrap_or(Scope::Other as u32)
}

#[inline(always)]
fn peer(packet: Packet, receives: bool) -> Option<u32> {
    if packet.load::<u8>(0)? & 1 == 1 {
        return None;
    }
    let network = network(packet, 0)?;
    match network.ethertype {
        IPV4 => Some(of4(packet.load(network.offset + field4(receives))?)),
        IPV6 => Some(of6(packet.load(network.offset + field6(receives))?)),
        _ => None,
    }
}

/// To a group it has no one peer, whoever it comes from.
#[inline(always)]
fn is_to_group(head: Head) -> bool {
    head.read::<u8>(0) & 1 == 1
}

/// Where the address of the peer is in an IPv4 header.
#[inline(always)]
fn field4(receives: bool) -> u32 {
    if receives { 12 } else { 16 }
}

#[inline(always)]
fn field6(receives: bool) -> u32 {
    if receives { 8 } else { 24 }
}

#[inline(always)]
fn of4(address: u32) -> u32 {
    // SAFETY: only whether there is one is asked.
    if unsafe { NEAR4.get(address) }.is_some() {
        return Scope::SameNode as u32;
    }
    let found = SCOPE4.get(Key::new(32, address)).copied();
    found.unwrap_or(Scope::External as u32)
}

#[inline(always)]
fn of6(address: [u64; 2]) -> u32 {
    // SAFETY: as above.
    if unsafe { NEAR6.get(address) }.is_some() {
        return Scope::SameNode as u32;
    }
    scope6(address).unwrap_or(Scope::External as u32)
}
