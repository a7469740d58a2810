//! What happens to the TCP connections of a pod.

use aya_ebpf::bindings::{
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_RETRANS_CB, BPF_SOCK_OPS_RETRANS_CB_FLAG, BPF_SOCK_OPS_RTT_CB,
    BPF_SOCK_OPS_RTT_CB_FLAG, BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG,
    BPF_SOCK_OPS_TCP_CONNECT_CB,
};
use aya_ebpf::programs::SockOpsContext;
use berth_ebpf_common::{RTT_BOUNDS_US, TcpValue};

use crate::maps::{self, TCP_VALUES, add};

const SYN_SENT: u32 = 2;
const CLOSE: u32 = 7;

#[inline(always)]
pub fn count(ctx: &SockOpsContext) {
    let Some(value) = TCP_VALUES.get_ptr_mut(maps::slot()) else {
        return;
    };
    // SAFETY: `value` is in the map's memory.
    unsafe {
        match ctx.op() {
            // A state is told of only when asked for before.
            BPF_SOCK_OPS_TCP_CONNECT_CB => listen(ctx, BPF_SOCK_OPS_STATE_CB_FLAG),
            BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => {
                add(&raw mut (*value).connected, 1);
                listen(ctx, 0);
            }
            BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => {
                add(&raw mut (*value).accepted, 1);
                listen(ctx, 0);
            }
            BPF_SOCK_OPS_STATE_CB if (ctx.arg(0), ctx.arg(1)) == (SYN_SENT, CLOSE) => {
                add(&raw mut (*value).failed, 1);
            }
            // Its sequence number, how many segments, and whether they could be sent.
            BPF_SOCK_OPS_RETRANS_CB if ctx.arg(2) == 0 => {
                add(&raw mut (*value).retransmits, u64::from(ctx.arg(1)));
            }
            BPF_SOCK_OPS_RTT_CB => round_trip(ctx, value),
            _ => (),
        }
    }
}

/// Asks to be told of more, for as long as others want to hear of what they asked for.
#[inline(always)]
fn listen(ctx: &SockOpsContext, more: u32) {
    let flags = ctx.cb_flags() | BPF_SOCK_OPS_RETRANS_CB_FLAG | BPF_SOCK_OPS_RTT_CB_FLAG | more;
    // A kernel that lacks one says so and sets the others.
    let _ = ctx.set_cb_flags(flags as i32);
}

/// # Safety
/// `value` is in the map's memory.
#[inline(always)]
unsafe fn round_trip(ctx: &SockOpsContext, value: *mut TcpValue) {
    // SAFETY: the context is the kernel's, which keeps eighths.
    let smoothed = unsafe { (*ctx.ops).srtt_us } >> 3;
    let mut bucket = 0;
    for bound in RTT_BOUNDS_US {
        bucket += usize::from(smoothed > bound);
    }
    // SAFETY: as the caller promises; there is a bucket more than there are bounds.
    unsafe {
        add((&raw mut (*value).rtt).cast::<u64>().add(bucket), 1);
        add(&raw mut (*value).rtt_sum_us, u64::from(smoothed));
    }
}
