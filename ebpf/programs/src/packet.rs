//! What is read of a packet's headers.

use aya_ebpf::programs::sk_buff::SkBuff;

pub const ETH_BYTES: usize = 14;
pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMP: u8 = 1;
pub const ICMP6: u8 = 58;
pub const SCTP: u8 = 132;

/// Where the network header is, and of which protocol it is.
#[derive(Clone, Copy)]
pub struct Network {
    pub offset: usize,
    pub ethertype: u16,
}

/// Passes over up to two tags in the packet itself.
#[inline(always)]
pub fn network(skb: &SkBuff) -> Option<Network> {
    let mut offset = ETH_BYTES;
    let mut ethertype = u16::from_be_bytes(skb.load::<[u8; 2]>(offset - 2).ok()?);
    for _ in 0..2 {
        if ethertype != VLAN && ethertype != QINQ {
            break;
        }
        offset += 4;
        ethertype = u16::from_be_bytes(skb.load::<[u8; 2]>(offset - 2).ok()?);
    }
    Some(Network { offset, ethertype })
}

/// Where the transport header is, and of which protocol it is.
#[derive(Clone, Copy)]
pub struct Transport {
    pub offset: usize,
    pub protocol: u8,
}

#[inline(always)]
pub fn transport(skb: &SkBuff, network: Network) -> Option<Transport> {
    let at = network.offset;
    match network.ethertype {
        IPV4 => {
            let words = skb.load::<u8>(at).ok()? & 0xf;
            Some(Transport {
                offset: at + usize::from(words) * 4,
                protocol: skb.load::<u8>(at + 9).ok()?,
            })
        }
        IPV6 => {
            let protocol = skb.load::<u8>(at + 6).ok()?;
            behind_extensions(
                skb,
                Transport {
                    offset: at + 40,
                    protocol,
                },
            )
        }
        _ => None,
    }
}

/// Most extension headers that are passed over.
const EXTENSIONS: usize = 4;

/// RFC 8200, section 4: hop by hop, routing, fragment, destination options; RFC 4302.
#[inline(always)]
fn behind_extensions(skb: &SkBuff, mut found: Transport) -> Option<Transport> {
    for _ in 0..EXTENSIONS {
        let unit = match found.protocol {
            0 | 43 | 60 => 8,
            51 => 4,
            44 => 0,
            _ => return Some(found),
        };
        let [next, length] = skb.load::<[u8; 2]>(found.offset).ok()?;
        let length = usize::from(length) * unit;
        // An authentication header's length leaves out two words, which are 8 bytes as well.
        found = Transport {
            offset: found.offset + 8 + length,
            protocol: next,
        };
    }
    Some(found)
}
