//! How large a packet is on the wire.
//!
//! What the kernel passes along as one may be many there: it is made into segments later, or was
//! made of segments before. Each has headers of its own.

use crate::packet::{Network, Packet, SCTP, TAG_BYTES, TCP, UDP, network, transport};
use crate::tunnel;

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

/// What every segment of a packet begins with.
#[derive(Clone, Copy)]
struct Headers {
    /// Bytes, those included that no segment has.
    bytes: u64,
    /// Bytes that no segment has.
    inserted: u64,
    /// The kernel knows better where it has measured: there may be more than was understood.
    doubtful: bool,
}

/// Whether a frame is on the wire what it is here, which most are.
#[inline(always)]
pub fn is_plain(packet: Packet) -> bool {
    gso_size(packet) == 0 && tag(packet) == 0
}

/// The size of a frame, which leaves by an interface or arrives.
#[inline(always)]
pub fn frame(packet: Packet, leaves: bool) -> Size {
    let size = if gso_size(packet) == 0 {
        whole(packet)
    } else {
        segments_of_frame(packet, leaves)
    };
    Size {
        bytes: size.bytes + tag(packet) * size.packets,
        ..size
    }
}

#[inline(always)]
fn whole(packet: Packet) -> Size {
    Size {
        bytes: u64::from(packet.len()),
        packets: 1,
        estimated: false,
    }
}

/// The bytes of a tag that the kernel carries beside the packet.
#[inline(always)]
pub fn tag(packet: Packet) -> u64 {
    // SAFETY: the context is the kernel's, and every classifier may read this field.
    let present = unsafe { (*packet.skb).vlan_present };
    if present == 0 {
        0
    } else {
        u64::from(TAG_BYTES)
    }
}

/// The size from the network header on, of a packet that begins with it.
#[inline(always)]
pub fn datagram(packet: Packet) -> Size {
    if gso_size(packet) == 0 {
        return whole(packet);
    }
    segments_of_datagram(packet)
}

#[inline(always)]
fn gso_size(packet: Packet) -> u32 {
    // SAFETY: the context is the kernel's, and this field is every program's to read.
    unsafe { (*packet.skb).gso_size }
}

// Apart from the rest, so that the way of a plain packet is short.
#[cold]
#[inline(never)]
fn segments_of_frame(packet: Packet, leaves: bool) -> Size {
    let found = network(packet, 0).and_then(|network| headers(packet, network));
    let size = segmented(packet, found);
    if !leaves || found.is_some_and(|headers| !headers.doubtful) {
        return size;
    }
    // What leaves has been measured by the kernel (`qdisc_pkt_len_init`), which sees inside tunnels,
    // but takes neither SCTP's headers nor its own jumbo option into account.
    // SAFETY: as above; classifiers may read these.
    let (wire_len, segments) = unsafe { ((*packet.skb).wire_len, (*packet.skb).gso_segs) };
    if wire_len > packet.len() && segments > 0 {
        return Size {
            bytes: u64::from(wire_len),
            packets: u64::from(segments),
            estimated: false,
        };
    }
    size
}

#[cold]
#[inline(never)]
fn segments_of_datagram(packet: Packet) -> Size {
    let ethertype = match packet.load::<u8>(0).map(|first| first >> 4) {
        Some(4) => crate::packet::IPV4,
        Some(6) => crate::packet::IPV6,
        _ => 0,
    };
    let network = Network {
        offset: 0,
        ethertype,
    };
    segmented(packet, headers(packet, network))
}

#[inline(always)]
fn segmented(packet: Packet, headers: Option<Headers>) -> Size {
    let (len, gso_size) = (u64::from(packet.len()), gso_size(packet));
    // SAFETY: as above.
    let known = u64::from(unsafe { (*packet.skb).gso_segs });
    let unknown = Size {
        bytes: len,
        packets: if known == 0 { 1 } else { known },
        estimated: known != 1,
    };
    let Some(headers) = headers else {
        return unknown;
    };
    let packets = match known {
        // From a tap or a packet socket; the kernel has yet to count.
        0 if gso_size == BY_FRAGS || len <= headers.bytes => return unknown,
        0 => segments_of(len - headers.bytes, gso_size),
        _ => known,
    };
    if packets <= 1 {
        return Size {
            bytes: len,
            packets: 1,
            estimated: false,
        };
    }
    Size {
        bytes: len - headers.inserted + (packets - 1) * (headers.bytes - headers.inserted),
        packets,
        estimated: false,
    }
}

/// How many segments of `size` bytes, which is not 0, a payload makes.
#[inline(always)]
fn segments_of(payload: u64, size: u32) -> u64 {
    let size = u64::from(size);
    // Without the panic that a division by 0 would be.
    (payload + size - 1).checked_div(size).unwrap_or(1)
}

/// How many headers there may be within each other.
const NESTED: usize = 2;

#[inline(always)]
fn headers(packet: Packet, outermost: Network) -> Option<Headers> {
    let mut network = outermost;
    let mut inserted = 0;
    let mut doubtful = false;
    for _ in 0..NESTED {
        let found = transport(packet, network)?;
        inserted += found.inserted;
        let own = match found.protocol {
            TCP => u32::from(packet.load::<u8>(found.offset + 12)? >> 4) * 4,
            SCTP => 12,
            _ => {
                doubtful = true;
                if let Some(inner) = tunnel::within(packet, found) {
                    network = inner;
                    continue;
                }
                if found.protocol != UDP {
                    return None;
                }
                8
            }
        };
        let bytes = u64::from(found.offset + own);
        return Some(Headers {
            bytes,
            inserted: u64::from(inserted),
            doubtful,
        });
    }
    None
}
