//! How well a pod's connections do. Attached to its cgroup only where that is asked for.

use aya_ebpf::bindings::{
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_RETRANS_CB, BPF_SOCK_OPS_RETRANS_CB_FLAG, BPF_SOCK_OPS_RTT_CB,
    BPF_SOCK_OPS_RTT_CB_FLAG, BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG,
    BPF_SOCK_OPS_TCP_CONNECT_CB, BPF_TCP_CLOSE, BPF_TCP_SYN_SENT,
};
use aya_ebpf::programs::SockOpsContext;
use berth_ebpf_common::{RTT_BOUNDS_US, RTT_BUCKETS, TcpValue};

use crate::count::add;
use crate::maps::{self, TCP_HEALTH};

#[inline(always)]
pub fn observe(ctx: &SockOpsContext) {
    let Some(value) = TCP_HEALTH.get_ptr_mut(maps::slot()) else {
        return;
    };
    // SAFETY: the map's own memory, of which only fields are written to, each at once.
    let (connected, accepted, failed, retransmits) = unsafe {
        (
            &raw mut (*value).connected,
            &raw mut (*value).accepted,
            &raw mut (*value).failed,
            &raw mut (*value).retransmits,
        )
    };
    match ctx.op() {
        // A connection that cannot be opened ends in a change of state, and may be sent again.
        BPF_SOCK_OPS_TCP_CONNECT_CB => {
            ask(
                ctx,
                BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_RETRANS_CB_FLAG,
            );
        }
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => {
            add(connected, 1);
            ask(ctx, BPF_SOCK_OPS_RETRANS_CB_FLAG | BPF_SOCK_OPS_RTT_CB_FLAG);
        }
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => {
            add(accepted, 1);
            ask(ctx, BPF_SOCK_OPS_RETRANS_CB_FLAG | BPF_SOCK_OPS_RTT_CB_FLAG);
        }
        BPF_SOCK_OPS_RETRANS_CB => {
            // Sequence number, segments, and whether they could be sent.
            if ctx.arg(2) == 0 {
                add(retransmits, u64::from(ctx.arg(1)));
            }
        }
        BPF_SOCK_OPS_STATE_CB => {
            if ctx.arg(0) == BPF_TCP_SYN_SENT && ctx.arg(1) == BPF_TCP_CLOSE {
                add(failed, 1);
            }
        }
        BPF_SOCK_OPS_RTT_CB => round_trip(ctx, value),
        _ => {}
    }
}

/// Other programs may have asked for other things.
#[inline(always)]
fn ask(ctx: &SockOpsContext, flags: u32) {
    let _ = ctx.set_cb_flags((ctx.cb_flags() | flags) as i32);
}

#[inline(always)]
fn round_trip(ctx: &SockOpsContext, value: *mut TcpValue) {
    // SAFETY: the context is the kernel's. It keeps the time in eighths of a microsecond.
    let us = unsafe { (*ctx.ops).srtt_us } >> 3;
    let mut bucket = 0;
    while bucket < RTT_BUCKETS - 1 && us > RTT_BOUNDS_US[bucket] {
        bucket += 1;
    }
    // SAFETY: the map's own memory, and a bucket is less than their number.
    let (count, sum) = unsafe {
        (
            (&raw mut (*value).rtt).cast::<u64>().add(bucket),
            &raw mut (*value).rtt_sum_us,
        )
    };
    add(count, 1);
    add(sum, u64::from(us));
}
