//! Counts what a container's interface receives and sends, what each container of a pod does, and
//! how a pod's TCP connections do.
//!
//! A program is loaded once for each attachment, with the slot it counts into as a constant, so that
//! it looks nothing up to find out whose packet it sees. It never decides anything: the next program
//! has every packet, and what others asked of the kernel stays asked.

#![no_std]
#![no_main]
// Core's atomics want a compare and exchange, which this target has not; adding it has.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "see above")]

mod container;
mod count;
mod kind;
mod maps;
mod packet;
mod scope;
mod size;
mod tcp;
mod tunnel;

use aya_ebpf::bindings::TC_ACT_UNSPEC;
use aya_ebpf::macros::{cgroup_skb, classifier, sock_ops};
use aya_ebpf::programs::{SkBuffContext, SockOpsContext, TcContext};

use crate::count::Way;
use crate::packet::Packet;

/// What the container receives: at the ingress of its own interface, or at the egress of the node's
/// end.
#[classifier]
pub fn receive(ctx: TcContext) -> i32 {
    count::count(Packet { skb: ctx.skb.skb }, Way::Receive);
    TC_ACT_UNSPEC
}

/// What the container sends.
#[classifier]
pub fn transmit(ctx: TcContext) -> i32 {
    count::count(Packet { skb: ctx.skb.skb }, Way::Transmit);
    TC_ACT_UNSPEC
}

/// The verdict of a cgroup's program that lets the packet pass.
const PASS: i32 = 1;

/// What a container's sockets receive.
#[cgroup_skb(ingress)]
pub fn container_receive(ctx: SkBuffContext) -> i32 {
    container::count(Packet { skb: ctx.skb.skb }, Way::Receive);
    PASS
}

/// What a container's sockets send.
#[cgroup_skb(egress)]
pub fn container_transmit(ctx: SkBuffContext) -> i32 {
    container::count(Packet { skb: ctx.skb.skb }, Way::Transmit);
    PASS
}

/// What happens to a pod's connections. The `reply` is another's to give; with 1 it stands.
#[sock_ops]
pub fn connection(ctx: SockOpsContext) -> u32 {
    tcp::count(&ctx);
    1
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// Nothing here calls what the kernel keeps for programs under the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 11] = *b"Apache-2.0\0";
