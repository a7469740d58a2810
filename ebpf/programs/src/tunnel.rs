//! Packets within packets, of which the kernel makes segments as well.

use crate::packet::{ETHERNET, IPV4, IPV6, Network, Packet, Transport, UDP, network};

const IPIP: u8 = 4;
const IPV6_WITHIN: u8 = 41;
const GRE: u8 = 47;

const VXLAN_PORTS: [u16; 2] = [4789_u16.to_be(), 8472_u16.to_be()];
const GENEVE_PORT: u16 = 6081_u16.to_be();
const UDP_BYTES: u32 = 8;

/// The network header of the packet that `outer` carries, when it is a tunnel's.
#[inline(always)]
pub fn within(packet: Packet, outer: Transport) -> Option<Network> {
    let at = |ethertype| Network {
        offset: outer.offset,
        ethertype,
    };
    match outer.protocol {
        IPIP => Some(at(IPV4)),
        IPV6_WITHIN => Some(at(IPV6)),
        GRE => gre(packet, outer.offset),
        UDP => udp(packet, outer.offset),
        _ => None,
    }
}

/// RFC 2784 and RFC 2890.
#[inline(always)]
fn gre(packet: Packet, offset: u32) -> Option<Network> {
    let [flags, ethertype] = packet.load::<[u16; 2]>(offset)?;
    let flags = u16::from_be(flags);
    let words =
        1 + u32::from(flags >> 15) + u32::from(flags >> 13 & 1) + u32::from(flags >> 12 & 1);
    carried(packet, offset + words * 4, ethertype)
}

/// VXLAN (RFC 7348) and Geneve (RFC 8926), by their ports.
#[inline(always)]
fn udp(packet: Packet, offset: u32) -> Option<Network> {
    let port = packet.load::<u16>(offset + 2)?;
    let inner = offset + UDP_BYTES;
    if port == VXLAN_PORTS[0] || port == VXLAN_PORTS[1] {
        return carried(packet, inner + 8, ETHERNET);
    }
    if port != GENEVE_PORT {
        return None;
    }
    let [options, ethertype] = packet.load::<[u16; 2]>(inner)?;
    let words = u32::from(u16::from_be(options) >> 8 & 0x3f);
    carried(packet, inner + 8 + words * 4, ethertype)
}

#[inline(always)]
fn carried(packet: Packet, offset: u32, ethertype: u16) -> Option<Network> {
    match ethertype {
        ETHERNET => network(packet, offset),
        IPV4 | IPV6 => Some(Network { offset, ethertype }),
        _ => None,
    }
}
