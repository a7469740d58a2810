//! What a packet is: its protocol and family, and whether it resets a connection.

use berth_ebpf_common::{Family, Protocol};

use crate::packet::{
    self, ETH_BYTES, ETH_IPV4_BYTES, ETH_IPV6_BYTES, ICMP, ICMP6, IPV4, IPV6, Network, Packet,
    SCTP, TCP, UDP, transport,
};

/// Where it is counted among the details.
#[inline(always)]
pub fn kind(packet: Packet, network: Network) -> (Protocol, Family) {
    let family = match network.ethertype {
        IPV4 => Family::V4,
        IPV6 => Family::V6,
        _ => return (Protocol::Other, Family::None),
    };
    let protocol = match protocol(packet, network) {
        Some(TCP) => Protocol::Tcp,
        Some(UDP) => Protocol::Udp,
        Some(ICMP | ICMP6) => Protocol::Icmp,
        Some(SCTP) => Protocol::Sctp,
        _ => Protocol::Other,
    };
    (protocol, family)
}

#[inline(always)]
fn protocol(packet: Packet, network: Network) -> Option<u8> {
    let plain = network.offset == ETH_BYTES;
    if plain && network.ethertype == IPV4 {
        return packet.get::<u8>(ETH_BYTES + 9, ETH_IPV4_BYTES);
    }
    if plain && network.ethertype == IPV6 {
        let next = packet.get::<u8>(ETH_BYTES + 6, ETH_IPV6_BYTES)?;
        if !packet::is_extension(next) {
            return Some(next);
        }
    }
    transport(packet, network).map(|found| found.protocol)
}

/// Whether it is a segment with RST.
#[inline(always)]
pub fn is_reset(packet: Packet, network: Network) -> bool {
    if protocol(packet, network) != Some(TCP) {
        return false;
    }
    flags(packet, network).is_some_and(|flags| flags & 0b100 != 0)
}

const FLAGS: u32 = 13;
const TCP_BYTES: u32 = 20;

#[inline(always)]
fn flags(packet: Packet, network: Network) -> Option<u8> {
    let plain = network.offset == ETH_BYTES;
    if plain && network.ethertype == IPV4 && whole(packet) {
        return packet.get(ETH_IPV4_BYTES + FLAGS, ETH_IPV4_BYTES + TCP_BYTES);
    }
    if plain && network.ethertype == IPV6 && packet.get::<u8>(ETH_BYTES + 6, ETH_IPV6_BYTES)? == TCP
    {
        return packet.get(ETH_IPV6_BYTES + FLAGS, ETH_IPV6_BYTES + TCP_BYTES);
    }
    let found = transport(packet, network)?;
    if found.headless {
        return None;
    }
    packet.load(found.offset + FLAGS)
}

/// Whether an IPv4 header has no options, and its transport header behind it.
#[inline(always)]
fn whole(packet: Packet) -> bool {
    const OFFSET: u16 = 0x1fff_u16.to_be();
    packet.get::<u8>(ETH_BYTES, ETH_IPV4_BYTES) == Some(0x45)
        && packet
            .get::<u16>(ETH_BYTES + 6, ETH_IPV4_BYTES)
            .is_some_and(|fragment| fragment & OFFSET == 0)
}
