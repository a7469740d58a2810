//! What one container of a pod receives and sends, told by the cgroup that made the socket.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_skb_ancestor_cgroup_id};
use aya_ebpf::programs::SkBuffContext;
use aya_ebpf::programs::sk_buff::SkBuff;
use berth_ebpf_common::{Unattributed, container_index};

use crate::count::{Way, add_count};
use crate::maps::{self, CGROUPS, CONTAINERS};
use crate::packet::{IPV4, IPV6, Network};
use crate::size;

/// The loopback interface is the first of every namespace.
const LOOPBACK: u32 = 1;

#[inline(always)]
pub fn count(ctx: &SkBuffContext, way: Way) {
    let size = size::arriving(&ctx.skb, network);
    // SAFETY: the context is the kernel's; the helper reads the socket that it belongs to.
    let (loops, id) = unsafe {
        (
            (*ctx.skb.skb).ifindex == LOOPBACK,
            bpf_skb_ancestor_cgroup_id(ctx.skb.skb, maps::depth() as i32),
        )
    };
    // SAFETY: the helper takes nothing and touches nothing.
    let processor = unsafe { bpf_get_smp_processor_id() };
    let Some(value) = CONTAINERS.get_ptr_mut(container_index(slot_of(id), processor)) else {
        return;
    };
    // SAFETY: the map's own memory, of which only fields are written to, each at once.
    let count = unsafe {
        match (way, loops) {
            (Way::Receive, false) => &raw mut (*value).receive,
            (Way::Transmit, false) => &raw mut (*value).transmit,
            (Way::Receive, true) => &raw mut (*value).loopback_receive,
            (Way::Transmit, true) => &raw mut (*value).loopback_transmit,
        }
    };
    add_count(count, size.bytes, size.packets);
}

/// A socket of the pod's own cgroup has no ancestor as deep as its containers.
#[inline(always)]
fn slot_of(id: u64) -> u32 {
    if id == 0 {
        return Unattributed::PodCgroup as u32;
    }
    // SAFETY: a number that is read at once.
    let found = unsafe { CGROUPS.get(id) };
    found.copied().unwrap_or(Unattributed::UnknownCgroup as u32)
}

/// A socket's packet begins with its network header.
#[inline(always)]
fn network(skb: &SkBuff) -> Option<Network> {
    let ethertype = match skb.load::<u8>(0).ok()? >> 4 {
        4 => IPV4,
        6 => IPV6,
        _ => return None,
    };
    Some(Network {
        offset: 0,
        ethertype,
    })
}
