//! How large a packet is on the wire.

use aya_ebpf::programs::TcContext;

use crate::count::Hook;
use crate::packet::{self, SCTP, TCP, UDP};

/// SCTP's segments have sizes of their own (`GSO_BY_FRAGS`).
const BY_FRAGS: u32 = 0xffff;

/// What one packet of the kernel's is on the wire.
#[derive(Clone, Copy)]
pub struct Size {
    pub bytes: u64,
    pub packets: u64,
    /// Its headers could not be read.
    pub estimated: bool,
}

#[inline(always)]
pub fn size(ctx: &TcContext, hook: Hook) -> Size {
    let len = u64::from(ctx.len());
    // SAFETY: the context is the kernel's, and every program of this type may read these fields.
    let (gso_size, gso_segs, wire_len) = unsafe {
        let skb = &*ctx.skb.skb;
        (
            skb.gso_size,
            u64::from(skb.gso_segs),
            u64::from(skb.wire_len),
        )
    };
    if gso_size == 0 {
        return Size {
            bytes: len,
            packets: 1,
            estimated: false,
        };
    }
    // What leaves has been measured by the kernel already (`qdisc_pkt_len_init`).
    if matches!(hook, Hook::Egress) && gso_segs > 0 {
        return Size {
            bytes: wire_len,
            packets: gso_segs,
            estimated: false,
        };
    }
    segmented(ctx, len, gso_size, gso_segs)
}

#[inline(always)]
fn segmented(ctx: &TcContext, len: u64, gso_size: u32, gso_segs: u64) -> Size {
    let Some(headers) = headers(ctx) else {
        return Size {
            bytes: len,
            packets: gso_segs.max(1),
            estimated: true,
        };
    };
    let mut packets = gso_segs;
    // From a tap or a virtual machine the kernel may not know yet.
    if packets == 0 && gso_size != BY_FRAGS {
        packets = len.saturating_sub(headers).div_ceil(u64::from(gso_size));
    }
    let packets = packets.max(1);
    Size {
        bytes: len + (packets - 1) * headers,
        packets,
        estimated: false,
    }
}

/// How many bytes of every segment are headers.
#[inline(always)]
fn headers(ctx: &TcContext) -> Option<u64> {
    let network = packet::network(ctx)?;
    let transport = packet::transport(ctx, network)?;
    let own = match transport.protocol {
        TCP => usize::from(ctx.load::<u8>(transport.offset + 12).ok()? >> 4) * 4,
        UDP => 8,
        SCTP => 12,
        _ => return None,
    };
    Some((transport.offset + own) as u64)
}
