//! One packet of a socket, added to the container that made the socket.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_skb_ancestor_cgroup_id};
use berth_ebpf_common::{ContainerValue, Count, Unattributed, container_index};

use crate::count::Way;
use crate::maps::{self, CGROUPS, CONTAINERS, add_count};
use crate::packet::Packet;
use crate::size;

/// The loopback interface's, in every network namespace.
const LOOPBACK: u32 = 1;

#[inline(always)]
pub fn count(packet: Packet, way: Way) {
    let size = size::datagram(packet);
    // SAFETY: the helper takes nothing and touches nothing.
    let processor = unsafe { bpf_get_smp_processor_id() };
    let index = container_index(slot(packet.skb), processor);
    let Some(value) = CONTAINERS.get_ptr_mut(index) else {
        return;
    };
    // SAFETY: the context is the kernel's, and this field is every program's to read.
    let loopback = unsafe { (*packet.skb).ifindex } == LOOPBACK;
    // SAFETY: within the map's memory.
    unsafe { add_count(of(value, way, loopback), size.bytes, size.packets) };
}

/// # Safety
/// `value` is in the map's memory.
#[inline(always)]
unsafe fn of(value: *mut ContainerValue, way: Way, loopback: bool) -> *mut Count {
    // SAFETY: as the caller promises.
    unsafe {
        match (way, loopback) {
            (Way::Receive, false) => &raw mut (*value).receive,
            (Way::Transmit, false) => &raw mut (*value).transmit,
            (Way::Receive, true) => &raw mut (*value).loopback_receive,
            (Way::Transmit, true) => &raw mut (*value).loopback_transmit,
        }
    }
}

/// The container's slot. A container may have cgroups of its own below its own: the one that is as
/// deep as containers' are is asked for.
#[inline(always)]
fn slot(skb: *mut __sk_buff) -> u32 {
    // SAFETY: the context is the kernel's.
    let id = unsafe { bpf_skb_ancestor_cgroup_id(skb, maps::depth() as i32) };
    if id == 0 {
        return Unattributed::PodCgroup as u32;
    }
    // SAFETY: a number that is read at once.
    let known = unsafe { CGROUPS.get(id) }.copied();
    known.unwrap_or(Unattributed::UnknownCgroup as u32)
}
