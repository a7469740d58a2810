//! Where the other end of a packet is.

use aya_ebpf::maps::lpm_trie::Key;
use aya_ebpf::programs::TcContext;
use berth_ebpf_common::Scope;

use crate::count::Way;
use crate::maps::{NEAR4, NEAR6, SCOPE4, SCOPE6};
use crate::packet::{IPV4, IPV6, Network};

#[inline(always)]
pub fn scope(ctx: &TcContext, network: Option<Network>, way: Way) -> u32 {
    peer(ctx, network, way).unwrap_or(Scope::Other as u32)
}

#[inline(always)]
fn peer(ctx: &TcContext, network: Option<Network>, way: Way) -> Option<u32> {
    let network = network?;
    // To a group, whoever it comes from.
    if ctx.load::<u8>(0).ok()? & 1 == 1 {
        return None;
    }
    let receives = matches!(way, Way::Receive);
    match network.ethertype {
        IPV4 => {
            let at = network.offset + if receives { 12 } else { 16 };
            let address = ctx.load::<[u8; 4]>(at).ok()?;
            // SAFETY: a number that is read at once.
            if unsafe { NEAR4.get(address) }.is_some() {
                return Some(Scope::SameNode as u32);
            }
            Some(named(SCOPE4.get(Key::new(32, address))))
        }
        IPV6 => {
            let at = network.offset + if receives { 8 } else { 24 };
            let address = ctx.load::<[u8; 16]>(at).ok()?;
            // SAFETY: a number that is read at once.
            if unsafe { NEAR6.get(address) }.is_some() {
                return Some(Scope::SameNode as u32);
            }
            Some(named(SCOPE6.get(Key::new(128, address))))
        }
        _ => None,
    }
}

#[inline(always)]
fn named(found: Option<&u32>) -> u32 {
    found.copied().unwrap_or(Scope::External as u32)
}
