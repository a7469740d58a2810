//! Counts what a container's interface receives and sends.
//!
//! A program is loaded once for each interface, with the slot it counts into as a constant, so that
//! it looks nothing up to find out whose packet it sees. It always lets the next program have it.

#![no_std]
#![no_main]
// Core's atomics want a compare and exchange, which this target has not; adding it has.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "see above")]

mod container;
mod count;
mod maps;
mod packet;
mod scope;
mod size;
mod tcp;

use aya_ebpf::bindings::TC_ACT_UNSPEC;
use aya_ebpf::macros::{cgroup_skb, classifier, sock_ops};
use aya_ebpf::programs::{SkBuffContext, SockOpsContext, TcContext};
use count::Way;

/// What the container receives: at the ingress of its own interface, or at the egress of the node's
/// end.
#[classifier]
pub fn receive(ctx: TcContext) -> i32 {
    count::count(&ctx, Way::Receive);
    TC_ACT_UNSPEC
}

/// What the container sends.
#[classifier]
pub fn transmit(ctx: TcContext) -> i32 {
    count::count(&ctx, Way::Transmit);
    TC_ACT_UNSPEC
}

/// Lets a packet pass; 0 would drop it.
const PASS: i32 = 1;

/// What the containers of a pod receive, at the pod's cgroup.
#[cgroup_skb]
pub fn container_receive(ctx: SkBuffContext) -> i32 {
    container::count(&ctx, Way::Receive);
    PASS
}

/// What they send.
#[cgroup_skb]
pub fn container_transmit(ctx: SkBuffContext) -> i32 {
    container::count(&ctx, Way::Transmit);
    PASS
}

/// How well the connections of a pod do, at the pod's cgroup. Never replies.
#[sock_ops]
pub fn tcp_health(ctx: SockOpsContext) -> u32 {
    tcp::observe(&ctx);
    1
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// bpf_get_prandom_u32 and its like are open to every licence; nothing here needs the GPL's.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 11] = *b"Apache-2.0\0";
