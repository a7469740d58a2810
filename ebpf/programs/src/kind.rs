//! What a packet is: its protocol and family, and whether it resets a connection.

use berth_ebpf_common::{Family, Protocol};

use crate::packet::{
    ETH_BYTES, ETH_IPV4_BYTES, ETH_IPV6_BYTES, ICMP, ICMP6, IPV4, IPV6, Packet, SCTP, TCP, UDP,
    is_extension, network, transport,
};

/// Which of the details it is counted in: by its protocol, by its family.
#[inline(always)]
pub fn kind(packet: Packet) -> u32 {
    let Some(head) = packet.head(ETH_IPV4_BYTES) else {
        return kind_elsewhere(packet);
    };
    if head.ethertype() == IPV4 {
        return cell(head.read(PROTOCOL4), Family::V4);
    }
    let next = head.read::<u8>(NEXT6);
    if head.ethertype() == IPV6 && !is_extension(next) {
        return cell(next, Family::V6);
    }
    kind_elsewhere(packet)
}

const PROTOCOL4: u32 = ETH_BYTES + 9;
const NEXT6: u32 = ETH_BYTES + 6;

#[inline(always)]
fn cell(protocol: u8, family: Family) -> u32 {
    let protocol = match protocol {
        TCP => Protocol::Tcp,
        UDP => Protocol::Udp,
        ICMP | ICMP6 => Protocol::Icmp,
        SCTP => Protocol::Sctp,
        _ => Protocol::Other,
    };
    protocol as u32 * 3 + family as u32
}

/// Behind tags and extensions, in a packet that is in pieces, or nowhere.
#[cold]
#[inline(never)]
fn kind_elsewhere(packet: Packet) -> u32 {
    let found = network(packet, 0);
    let family = match found.map(|network| network.ethertype) {
        Some(IPV4) => Family::V4,
        Some(IPV6) => Family::V6,
        _ => Family::None,
    };
    let found = found.and_then(|network| transport(packet, network));
    // 255 is no protocol's.
    cell(found.map_or(255, |found| found.protocol), family)
}

/// Whether it is a segment with RST.
#[inline(always)]
pub fn is_reset(packet: Packet) -> bool {
    let Some(head) = packet.head(ETH_IPV4_BYTES + TCP_BYTES) else {
        return is_reset_elsewhere(packet);
    };
    if head.ethertype() == IPV4 {
        if head.read::<u8>(PROTOCOL4) != TCP {
            return false;
        }
        // No options, and not a later fragment.
        if head.read::<u8>(ETH_BYTES) == 0x45 && head.read::<u16>(ETH_BYTES + 6) & OFFSET == 0 {
            return has_reset(head.read(ETH_IPV4_BYTES + FLAGS));
        }
        return is_reset_elsewhere(packet);
    }
    if head.ethertype() == IPV6 && head.read::<u8>(NEXT6) == TCP {
        if let Some(head) = packet.head(ETH_IPV6_BYTES + TCP_BYTES) {
            return has_reset(head.read(ETH_IPV6_BYTES + FLAGS));
        }
    }
    is_reset_elsewhere(packet)
}

const TCP_BYTES: u32 = 20;
const FLAGS: u32 = 13;
/// Where a fragment is, in its field of the IPv4 header.
const OFFSET: u16 = 0x1fff_u16.to_be();

#[inline(always)]
fn has_reset(flags: u8) -> bool {
    flags & 0b100 != 0
}

/// As [`kind_elsewhere`].
#[cold]
#[inline(never)]
fn is_reset_elsewhere(packet: Packet) -> bool {
    let found = network(packet, 0).and_then(|network| transport(packet, network));
    let Some(found) = found.filter(|found| found.protocol == TCP && !found.headless) else {
        return false;
    };
    packet.load(found.offset + FLAGS).is_some_and(has_reset)
}
