//! One packet, added to its slot.

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use berth_ebpf_common::constants::{LEVEL_DEFAULT, LEVEL_DETAIL};
use berth_ebpf_common::{Count, Direction, Scope, detail_index, slot_index};

use crate::kind::{is_reset, kind};
use crate::maps::{self, DETAILS, SLOTS, add, add_count};
use crate::packet::Packet;
use crate::scope::scope;
use crate::size::{self, Size};

/// The direction as the container sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Receive,
    Transmit,
}

#[inline(always)]
pub fn count(packet: Packet, way: Way) {
    let receives = matches!(way, Way::Receive);
    let (slot, level) = (maps::slot(), maps::level());
    let scope = if level >= LEVEL_DEFAULT {
        scope(packet, way)
    } else {
        Scope::Other as u32
    };
    // SAFETY: the helper takes nothing and touches nothing.
    let processor = unsafe { bpf_get_smp_processor_id() };
    let Some(value) = SLOTS.get_ptr_mut(slot_index(slot, processor)) else {
        return;
    };
    // SAFETY: within the map's memory.
    let direction = unsafe {
        if receives {
            &raw mut (*value).receive
        } else {
            &raw mut (*value).transmit
        }
    };
    if maps::tcp() != 0 && is_reset(packet) {
        // SAFETY: as above.
        unsafe { add(&raw mut (*direction).resets, 1) };
    }
    if level >= LEVEL_DETAIL {
        detail(packet, receives, detail_index(slot, processor));
    } // Last: an addition that all processors see holds up what comes behind it.
    if size::is_plain(packet) {
        // SAFETY: as above.
        unsafe { add_count(of(direction, scope), u64::from(packet.len()), 1) };
    } else {
        add_segments(packet, direction, scope, leaves(receives));
    }
}

/// Whether the program is at the interface's egress.
#[inline(always)]
fn leaves(receives: bool) -> bool {
    receives == (maps::node_end() != 0)
}

/// # Safety
/// `direction` is in the map's memory.
#[inline(always)]
unsafe fn of(direction: *mut Direction, scope: u32) -> *mut Count {
    // SAFETY: as the caller promises; there are four scopes.
    unsafe {
        (&raw mut (*direction).scopes)
            .cast::<Count>()
            .add((scope & 3) as usize)
    }
}

/// Adds a packet that is other on the wire than here.
// Apart from the rest, so that the way of a plain packet is short.
#[inline(never)]
fn add_segments(packet: Packet, direction: *mut Direction, scope: u32, leaves: bool) {
    let Size {
        bytes,
        packets,
        estimated,
    } = size::frame(packet, leaves);
    // What arrives has lost its tag only just now, behind where the device counts.
    let tag = if leaves { 0 } else { size::tag(packet) };
    let counted = u64::from(packet.len()) + tag;
    // SAFETY: `direction` is in the map's memory. The surplus wraps when segments are less than what
    // they were made of.
    unsafe {
        add_count(of(direction, scope), bytes, packets);
        let surplus = &raw mut (*direction).surplus;
        add_count(surplus, bytes.wrapping_sub(counted), packets - 1);
        if estimated {
            add(&raw mut (*direction).estimated, 1);
        }
    }
}

#[inline(always)]
fn detail(packet: Packet, receives: bool, index: u32) {
    let at = kind(packet);
    let Some(value) = DETAILS.get_ptr_mut(index) else {
        return;
    };
    // SAFETY: the map's own memory; there are 15 counts before what is reserved, and `at` is
    // less.
    let count = unsafe {
        let way = if receives {
            &raw mut (*value).receive
        } else {
            &raw mut (*value).transmit
        };
        way.cast::<Count>().add((at & 15) as usize)
    };
    if size::is_plain(packet) {
        // SAFETY: as above.
        unsafe { add_count(count, u64::from(packet.len()), 1) };
    } else {
        add_detailed_segments(packet, count, leaves(receives));
    }
}

#[inline(never)]
fn add_detailed_segments(packet: Packet, count: *mut Count, leaves: bool) {
    let Size { bytes, packets, .. } = size::frame(packet, leaves);
    // SAFETY: `count` is in the map's memory.
    unsafe { add_count(count, bytes, packets) };
}
