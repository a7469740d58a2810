//! How large a packet is on the wire.

use aya_ebpf::programs::sk_buff::SkBuff;

use crate::packet::{self, Network, SCTP, TCP, UDP};

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

impl Size {
    #[inline(always)]
    const fn exact(bytes: u64, packets: u64) -> Self {
        Self {
            bytes,
            packets,
            estimated: false,
        }
    }
}

/// What has left a queueing discipline's hook: the kernel has measured it (`qdisc_pkt_len_init`).
#[inline(always)]
pub fn leaving(skb: &SkBuff) -> Size {
    // SAFETY: the context is the kernel's, and a classifier may read these fields.
    let (gso_size, gso_segs, wire_len) = unsafe {
        let skb = &*skb.skb;
        (skb.gso_size, skb.gso_segs, skb.wire_len)
    };
    if gso_size == 0 || gso_segs == 0 {
        return arriving(skb, packet::network);
    }
    Size::exact(u64::from(wire_len), u64::from(gso_segs))
}

/// What nobody has measured: a packet that was merged on its way in (GRO), or is yet to be segmented.
///
/// Where its network header is, is asked of `network` only then.
#[inline(always)]
pub fn arriving(skb: &SkBuff, network: impl FnOnce(&SkBuff) -> Option<Network>) -> Size {
    let len = u64::from(skb.len());
    // SAFETY: the context is the kernel's, and every program of these types may read the fields.
    let (gso_size, gso_segs) = unsafe {
        let skb = &*skb.skb;
        (skb.gso_size, u64::from(skb.gso_segs))
    };
    if gso_size == 0 {
        return Size::exact(len, 1);
    }
    let Some(headers) = network(skb).and_then(|network| headers(skb, network)) else {
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
    Size::exact(len + (packets - 1) * headers, packets)
}

/// How many bytes of every segment are headers.
#[inline(always)]
fn headers(skb: &SkBuff, network: Network) -> Option<u64> {
    let transport = packet::transport(skb, network)?;
    let own = match transport.protocol {
        TCP => usize::from(skb.load::<u8>(transport.offset + 12).ok()? >> 4) * 4,
        UDP => 8,
        SCTP => 12,
        _ => return None,
    };
    Some((transport.offset + own) as u64)
}
