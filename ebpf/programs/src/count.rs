//! One packet, added to its slot.

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use berth_ebpf_common::constants::{LEVEL_DEFAULT, LEVEL_DETAIL};
use berth_ebpf_common::{Count, Direction, Scope, detail_index, slot_index};

use crate::kind::{is_reset, kind};
use crate::maps::{self, DETAILS, SLOTS, add, add_count};
use crate::packet::{self, ETH_BYTES, Network, Packet};
use crate::scope::scope;
use crate::size::{self, Size};

/// The direction as the container sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Receive,
    Transmit,
}

/// The direction as the interface sees it that the program is attached to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    Ingress,
    Egress,
}

#[inline(always)]
pub fn count(packet: Packet, way: Way) {
    let receives = matches!(way, Way::Receive);
    let hook = if receives == (maps::node_end() == 0) {
        Hook::Ingress
    } else {
        Hook::Egress
    };
    let size = size::frame(packet, hook);
    let (slot, level) = (maps::slot(), maps::level());
    // SAFETY: the helper takes nothing and touches nothing.
    let processor = unsafe { bpf_get_smp_processor_id() };
    let network = if level >= LEVEL_DEFAULT || maps::tcp() != 0 {
        network(packet)
    } else {
        NO_NETWORK
    };
    let scope = if level >= LEVEL_DEFAULT {
        scope(packet, network, way)
    } else {
        Scope::Other as u32
    };
    if let Some(value) = SLOTS.get_ptr_mut(slot_index(slot, processor)) {
        // SAFETY: within the map's memory.
        let direction = unsafe {
            if receives {
                &raw mut (*value).receive
            } else {
                &raw mut (*value).transmit
            }
        };
        // SAFETY: as above.
        unsafe { add_direction(packet, direction, scope, size, hook) };
        if maps::tcp() != 0 && is_reset(packet, network) {
            // SAFETY: as above.
            unsafe { add(&raw mut (*direction).resets, 1) };
        }
    }
    if level >= LEVEL_DETAIL {
        detail(
            packet,
            network,
            receives,
            size,
            detail_index(slot, processor),
        );
    }
}

const NO_NETWORK: Network = Network {
    offset: ETH_BYTES,
    ethertype: 0,
};

#[inline(always)]
fn network(packet: Packet) -> Network {
    let Some(ethertype) = packet.get::<u16>(ETH_BYTES - 2, ETH_BYTES) else {
        return NO_NETWORK;
    };
    if packet::is_tag(ethertype) {
        return packet::network(packet, 0).unwrap_or(NO_NETWORK);
    }
    Network {
        offset: ETH_BYTES,
        ethertype,
    }
}

/// # Safety
/// `direction` is in the map's memory.
#[inline(always)]
unsafe fn add_direction(
    packet: Packet,
    direction: *mut Direction,
    scope: u32,
    size: Size,
    hook: Hook,
) {
    let tag = size::tag(packet);
    let bytes = size.bytes + tag * size.packets;
    // SAFETY: there are four scopes.
    unsafe {
        let count = (&raw mut (*direction).scopes)
            .cast::<Count>()
            .add((scope & 3) as usize);
        add_count(count, bytes, size.packets);
    }
    // What arrives has lost its tag only just now, behind where the device counts.
    let counted_tag = if matches!(hook, Hook::Ingress) {
        tag
    } else {
        0
    };
    let counted = u64::from(packet.len()) + counted_tag;
    if bytes != counted || size.packets != 1 {
        // SAFETY: as above. It wraps when segments are less than what they were made of.
        unsafe {
            let surplus = &raw mut (*direction).surplus;
            add_count(surplus, bytes.wrapping_sub(counted), size.packets - 1);
        }
    }
    if size.estimated {
        // SAFETY: as above.
        unsafe { add(&raw mut (*direction).estimated, 1) };
    }
}

#[inline(always)]
fn detail(packet: Packet, network: Network, receives: bool, size: Size, index: u32) {
    let Some(value) = DETAILS.get_ptr_mut(index) else {
        return;
    };
    let (protocol, family) = kind(packet, network);
    let at = (protocol as usize) * 3 + family as usize;
    let bytes = size.bytes + size::tag(packet) * size.packets;
    // SAFETY: the map's own memory; there are 15 counts, and `at` is at most 14.
    unsafe {
        let way = if receives {
            &raw mut (*value).receive
        } else {
            &raw mut (*value).transmit
        };
        add_count(way.cast::<Count>().add(at), bytes, size.packets);
    }
}
