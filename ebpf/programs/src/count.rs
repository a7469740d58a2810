//! One packet, added to its slot.

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::programs::TcContext;
use berth_ebpf_common::constants::{LEVEL_DEFAULT, LEVEL_DETAIL};
use berth_ebpf_common::{Count, Direction, Family, Protocol, Scope, detail_index, slot_index};

use crate::maps::{self, DETAILS, SLOTS};
use crate::packet::{self, ICMP, ICMP6, IPV4, IPV6, Network, SCTP, TCP, UDP};
use crate::scope::scope;
use crate::size::{self, Size};

/// The direction as the container sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Receive,
    Transmit,
}

#[inline(always)]
pub fn count(ctx: &TcContext, way: Way) {
    let receives = matches!(way, Way::Receive);
    let leaves = receives != (maps::node_end() == 0);
    let size = if leaves {
        size::leaving(&ctx.skb)
    } else {
        size::arriving(&ctx.skb, packet::network)
    };
    let (slot, level) = (maps::slot(), maps::level());
    // SAFETY: the helper takes nothing and touches nothing.
    let processor = unsafe { bpf_get_smp_processor_id() };
    let network = if level >= LEVEL_DEFAULT || maps::tcp() != 0 {
        packet::network(&ctx.skb)
    } else {
        None
    };
    let scope = if level >= LEVEL_DEFAULT {
        scope(ctx, network, way)
    } else {
        Scope::Other as u32
    };
    if let Some(value) = SLOTS.get_ptr_mut(slot_index(slot, processor)) {
        // SAFETY: the map's own memory, of which only fields are written to, each at once.
        let direction = unsafe {
            if receives {
                &raw mut (*value).receive
            } else {
                &raw mut (*value).transmit
            }
        };
        add_direction(ctx, direction, scope, size);
        if maps::tcp() != 0 && is_reset(ctx, network) {
            // SAFETY: as above.
            add(unsafe { &raw mut (*direction).resets }, 1);
        }
    }
    if level >= LEVEL_DETAIL {
        detail(ctx, network, receives, size, detail_index(slot, processor));
    }
}

#[inline(always)]
fn add_direction(ctx: &TcContext, direction: *mut Direction, scope: u32, size: Size) {
    // SAFETY: `direction` is in the map's memory, and a scope is less than 4.
    let count = unsafe {
        (&raw mut (*direction).scopes)
            .cast::<Count>()
            .add((scope & 3) as usize)
    };
    add_count(count, size.bytes, size.packets);
    let len = u64::from(ctx.len());
    if size.packets != 1 || size.estimated {
        // SAFETY: as above.
        add_count(
            unsafe { &raw mut (*direction).surplus },
            size.bytes - len,
            size.packets - 1,
        );
    }
    if size.estimated {
        // SAFETY: as above.
        add(unsafe { &raw mut (*direction).estimated }, 1);
    }
}

#[inline(always)]
fn detail(ctx: &TcContext, network: Option<Network>, receives: bool, size: Size, index: u32) {
    let Some(value) = DETAILS.get_ptr_mut(index) else {
        return;
    };
    let (protocol, family) = kind(ctx, network);
    let at = (protocol as usize) * 3 + family as usize;
    // SAFETY: the map's own memory; there are 15 counts, and `at` is at most 14.
    let count = unsafe {
        let way = if receives {
            &raw mut (*value).receive
        } else {
            &raw mut (*value).transmit
        };
        way.cast::<Count>().add(at)
    };
    add_count(count, size.bytes, size.packets);
}

#[inline(always)]
fn kind(ctx: &TcContext, network: Option<Network>) -> (Protocol, Family) {
    let Some(network) = network else {
        return (Protocol::Other, Family::None);
    };
    let family = match network.ethertype {
        IPV4 => Family::V4,
        IPV6 => Family::V6,
        _ => return (Protocol::Other, Family::None),
    };
    let protocol = match packet::transport(&ctx.skb, network).map(|found| found.protocol) {
        Some(TCP) => Protocol::Tcp,
        Some(UDP) => Protocol::Udp,
        Some(ICMP | ICMP6) => Protocol::Icmp,
        Some(SCTP) => Protocol::Sctp,
        _ => Protocol::Other,
    };
    (protocol, family)
}

#[inline(always)]
fn is_reset(ctx: &TcContext, network: Option<Network>) -> bool {
    let Some(network) = network else { return false };
    let Some(transport) = packet::transport(&ctx.skb, network) else {
        return false;
    };
    transport.protocol == TCP
        && ctx
            .load::<u8>(transport.offset + 13)
            .is_ok_and(|flags| flags & 0b100 != 0)
}

#[inline(always)]
pub fn add_count(count: *mut Count, bytes: u64, packets: u64) {
    // SAFETY: `count` is in the map's memory.
    let (to_bytes, to_packets) = unsafe { (&raw mut (*count).bytes, &raw mut (*count).packets) };
    add(to_bytes, bytes);
    add(to_packets, packets);
}

/// Another processor may share the shard.
#[inline(always)]
pub fn add(to: *mut u64, what: u64) {
    use core::intrinsics::{AtomicOrdering, atomic_xadd};
    // SAFETY: aligned, in the map's memory, and nobody writes to it but atomically. The value before
    // is not used, so that any kernel's instruction does.
    let _ = unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(to, what) };
}
