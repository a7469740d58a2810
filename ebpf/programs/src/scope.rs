//! Where the other end of a packet is.

use aya_ebpf::maps::lpm_trie::Key;
use berth_ebpf_common::Scope;

use crate::count::Way;
use crate::maps::{NEAR4, NEAR6, SCOPE4, SCOPE6};
use crate::packet::{ETH_BYTES, ETH_IPV4_BYTES, ETH_IPV6_BYTES, IPV4, IPV6, Network, Packet};

#[inline(always)]
pub fn scope(packet: Packet, network: Network, way: Way) -> u32 {
    peer(packet, network, way).unwrap_or(Scope::Other as u32)
}

#[inline(always)]
fn peer(packet: Packet, network: Network, way: Way) -> Option<u32> {
    // To a group, whoever it comes from.
    if packet.get::<u8>(0, ETH_BYTES)? & 1 == 1 {
        return None;
    }
    let receives = matches!(way, Way::Receive);
    match network.ethertype {
        IPV4 => {
            let address = at::<u32>(
                packet,
                network,
                if receives { 12 } else { 16 },
                ETH_IPV4_BYTES,
            )?;
            // SAFETY: only whether there is one is asked.
            if unsafe { NEAR4.get(address) }.is_some() {
                return Some(Scope::SameNode as u32);
            }
            Some(named(SCOPE4.get(Key::new(32, address))))
        }
        IPV6 => {
            let address = at::<[u32; 4]>(
                packet,
                network,
                if receives { 8 } else { 24 },
                ETH_IPV6_BYTES,
            )?;
            // SAFETY: as above.
            if unsafe { NEAR6.get(address) }.is_some() {
                return Some(Scope::SameNode as u32);
            }
            Some(named(SCOPE6.get(Key::new(128, address))))
        }
        _ => None,
    }
}

/// A field of the network header, which nearly always follows the Ethernet header.
#[inline(always)]
fn at<T: Copy>(packet: Packet, network: Network, field: u32, reach: u32) -> Option<T> {
    if network.offset == ETH_BYTES {
        packet.get(ETH_BYTES + field, reach)
    } else {
        packet.load(network.offset + field)
    }
}

#[inline(always)]
fn named(found: Option<&u32>) -> u32 {
    found.copied().unwrap_or(Scope::External as u32)
}
