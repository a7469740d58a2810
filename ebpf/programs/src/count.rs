//! One packet, added to its slot.

use core::ptr::null_mut;

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
        unproven(packet, scope(packet, way)) & 3
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
    let detail = if level >= LEVEL_DETAIL {
        let Some(detail) = detail(packet, receives, detail_index(slot, processor)) else {
            return;
        };
        detail
    } else {
        null_mut()
    };
    // Last: an addition that all processors see holds up what comes behind it.
    if size::is_plain(packet) {
        let bytes = u64::from(packet.len());
        // SAFETY: as above.
        unsafe {
            if !detail.is_null() {
                add_count(detail, bytes, 1);
            }
            add_count(of(direction, scope), bytes, 1);
        }
    } else {
        add_segments(packet, direction, scope, detail, leaves(receives));
    }
}

/// The number, which the verifier knows nothing about any more. It follows all that comes behind for
/// each value by itself that it knows something to have, and what is behind is long.
#[inline(always)]
fn unproven(packet: Packet, number: u32) -> u32 {
    // No packet is as long, but the verifier cannot know.
    number ^ (packet.len() >> 28)
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
#[cold]
#[inline(never)]
fn add_segments(
    packet: Packet,
    direction: *mut Direction,
    scope: u32,
    detail: *mut Count,
    leaves: bool,
) {
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
        if !detail.is_null() {
            add_count(detail, bytes, packets);
        }
        add_count(of(direction, scope), bytes, packets);
        let surplus = &raw mut (*direction).surplus;
        add_count(surplus, bytes.wrapping_sub(counted), packets - 1);
        if estimated {
            add(&raw mut (*direction).estimated, 1);
        }
    }
}

/// Where a packet of its kind is counted.
#[inline(always)]
fn detail(packet: Packet, receives: bool, index: u32) -> Option<*mut Count> {
    let at = unproven(packet, kind(packet));
    let value = DETAILS.get_ptr_mut(index)?;
    // SAFETY: the map's own memory; there are 15 counts before what is reserved, and `at` is
    // less.
    unsafe {
        let way = if receives {
            &raw mut (*value).receive
        } else {
            &raw mut (*value).transmit
        };
        Some(way.cast::<Count>().add((at & 15) as usize))
    }
}
