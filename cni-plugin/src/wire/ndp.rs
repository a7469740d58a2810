//! Neighbour solicitations and advertisements over Ethernet (RFC 4861 §4.3 and §4.4), with the
//! probes of duplicate address detection (RFC 4862 §5.4).

use std::net::Ipv6Addr;

use berth_types::{Family, MacAddr};

use super::{Bytes, Said, ethertype, mac_of};

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// The next header of an IPv6 packet that carries `ICMPv6`.
const ICMPV6: u8 = 58;
/// No router has touched a packet that still has it; others are forged.
const HOP_LIMIT: u8 = 255;
/// The override bit of an advertisement: replace what is in the cache.
const OVERRIDE: u8 = 0x20;
/// The option with the sender's hardware address, and that with the target's.
const SOURCE_MAC: u8 = 1;
const TARGET_MAC: u8 = 2;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The multicast group that whoever has `address` listens to.
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let low = u16::from_be_bytes([b, c]);
    let high = u16::from_be_bytes([0xff, a]);
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, high, low)
}

/// Asks whether anybody has `address`, from no address; the answer goes to all nodes.
pub fn probe(mac: MacAddr, address: Ipv6Addr) -> Vec<u8> {
    let asks = message(SOLICITATION, 0, address, None);
    packet(mac, Ipv6Addr::UNSPECIFIED, solicited_node(address), asks)
}

/// Asks for the hardware address of `target`, from `own`.
pub fn question(mac: MacAddr, own: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let asks = message(SOLICITATION, 0, target, Some((SOURCE_MAC, mac)));
    packet(mac, own, solicited_node(target), asks)
}

/// Tells all nodes that `own` is at `mac`, whatever they believed.
pub fn announcement(mac: MacAddr, own: Ipv6Addr) -> Vec<u8> {
    let tells = message(ADVERTISEMENT, OVERRIDE, own, Some((TARGET_MAC, mac)));
    packet(mac, own, ALL_NODES, tells)
}

fn message(kind: u8, flags: u8, target: Ipv6Addr, option: Option<(u8, MacAddr)>) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    message.extend(target.octets());
    if let Some((option, mac)) = option {
        // Its length is counted in units of eight bytes.
        message.extend([option, 1]);
        message.extend(mac.bytes());
    }
    message
}

fn packet(mac: MacAddr, from: Ipv6Addr, to: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let sum = checksum(from, to, &message);
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    let [.., a, b, c, d] = to.octets();
    let mut packet = Vec::with_capacity(86);
    packet.extend([0x33, 0x33, a, b, c, d]);
    packet.extend(mac.bytes());
    packet.extend(ethertype(Family::V6).to_be_bytes());
    packet.extend([0x60, 0, 0, 0]);
    packet.extend(length.to_be_bytes());
    packet.extend([ICMPV6, HOP_LIMIT]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(message);
    packet
}

/// The checksum over the pseudo header of RFC 8200 §8.1 and the message; of a message that has its
/// own in place already, 0 when that is right.
fn checksum(from: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> u16 {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let (from, to, length) = (from.octets(), to.octets(), length.to_be_bytes());
    let pseudo: [&[u8]; 4] = [&from, &to, &length, &[0, 0, 0, ICMPV6]];
    let words = pseudo.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words.chain(message.chunks(2)).map(word).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

fn word(bytes: &[u8]) -> u32 {
    match *bytes {
        [a, b] => u16::from_be_bytes([a, b]).into(),
        [a] => u16::from_be_bytes([a, 0]).into(),
        _ => 0,
    }
}

/// Reads a frame; `None` unless it is a whole and genuine message that says who has an IPv6 address.
pub fn read(frame: &[u8]) -> Option<Said> {
    let (_destination, rest) = frame.split_first_chunk::<6>()?;
    let (source, rest) = rest.split_first_chunk::<6>()?;
    let rest = rest.strip_prefix(&ethertype(Family::V6).to_be_bytes())?;
    let (&[version, _, _, _, high, low, next, hops], rest) = rest.split_first_chunk::<8>()?;
    let (from, rest) = rest.split_first_chunk::<16>()?;
    let (to, rest) = rest.split_first_chunk::<16>()?;
    let message = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
    let [from, to] = [from, to].map(|octets| Ipv6Addr::from(*octets));
    let genuine = version >> 4 == 6 && next == ICMPV6 && hops == HOP_LIMIT;
    if !genuine || checksum(from, to, message) != 0 {
        return None;
    }
    let (&[kind, code, ..], rest) = message.split_first_chunk::<8>()?;
    let (target, options) = rest.split_first_chunk::<16>()?;
    let target = Ipv6Addr::from(*target);
    let at = |option| mac_of(mac_option(options, option).unwrap_or(*source), *source);
    match (kind, code) {
        (ADVERTISEMENT, 0) => Some(Said::Has {
            address: target.into(),
            mac: at(TARGET_MAC)?,
        }),
        (SOLICITATION, 0) if from.is_unspecified() => Some(Said::Probes {
            address: target.into(),
            mac: at(SOURCE_MAC)?,
        }),
        (SOLICITATION, 0) => Some(Said::Has {
            address: from.into(),
            mac: at(SOURCE_MAC)?,
        }),
        _ => None,
    }
}

/// The hardware address in that option, when there is one.
fn mac_option(mut options: &[u8], wanted: u8) -> Option<Bytes> {
    while let [kind, units, ..] = *options {
        // An option without a length would never end.
        let length = usize::from(units.max(1)) * 8;
        let option = options.get(..length)?;
        if let (true, [_, _, mac @ ..]) = (kind == wanted && units == 1, option) {
            return <Bytes>::try_from(mac).ok();
        }
        options = options.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mac() -> MacAddr {
        "0e:01:02:03:04:05".parse().unwrap()
    }

    fn ip(raw: &str) -> Ipv6Addr {
        raw.parse().unwrap()
    }

    #[test]
    fn a_probe_goes_to_the_group_of_the_address_and_lays_claim_to_nothing() {
        let address = ip("fd00:20::1:2:3");
        assert_eq!(solicited_node(address), ip("ff02::1:ff02:3"));
        let frame = probe(mac(), address);
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x02, 0x00, 0x03]);
        // RFC 4861 §4.3: from no address there is no option with one's own hardware address.
        assert_eq!(frame.len(), 14 + 40 + 24);
        let probes = Said::Probes {
            address: address.into(),
            mac: mac(),
        };
        assert_eq!(read(&frame), Some(probes));
    }

    #[test]
    fn an_announcement_overrides_and_goes_to_all_nodes() {
        let frame = announcement(mac(), ip("fd00:20::7"));
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(frame[14 + 40 + 4], 0x20, "the override bit alone");
        let has = Said::Has {
            address: ip("fd00:20::7").into(),
            mac: mac(),
        };
        assert_eq!(read(&frame), Some(has));
    }

    #[test]
    fn with_its_checksum_the_sum_of_all_words_is_all_ones() {
        let mut frame = question(
            "02:00:00:00:00:01".parse().unwrap(),
            ip("fe80::1"),
            ip("fe80::2"),
        );
        let sum = u16::from_be_bytes([frame[56], frame[57]]);
        frame[56] = 0;
        frame[57] = 0;
        let words = frame[22..54].chunks(2).chain(frame[54..].chunks(2));
        let total: u32 = words.map(word).sum::<u32>() + 32 + 58 + u32::from(sum);
        assert_eq!((total & 0xffff) + (total >> 16), 0xffff);
    }

    #[test]
    fn whoever_asks_from_an_address_has_it() {
        let frame = question(mac(), ip("fd00:20::7"), ip("fd00:20::1"));
        let has = Said::Has {
            address: ip("fd00:20::7").into(),
            mac: mac(),
        };
        assert_eq!(read(&frame), Some(has));
    }

    #[test]
    fn what_was_changed_or_came_from_afar_says_nothing() {
        let frame = announcement(mac(), ip("fd00:20::7"));
        for length in 0..frame.len() {
            assert_eq!(read(&frame[..length]), None, "{length} bytes");
        }
        // Each byte of packet and message, but for the traffic class and the flow label, which
        // say nothing here.
        for byte in (12..frame.len()).filter(|byte| !(15..18).contains(byte)) {
            let mut other = frame.clone();
            other[byte] ^= 0x10;
            assert_eq!(read(&other), None, "byte {byte}");
        }
        let mut padded = frame.clone();
        padded.extend([0; 8]);
        assert_eq!(read(&padded), read(&frame));
    }

    #[test]
    fn options_that_do_not_end_are_left_alone() {
        assert_eq!(mac_option(&[2, 0, 9, 9, 9, 9, 9, 9], 2), None);
        assert_eq!(mac_option(&[2, 200, 9, 9], 2), None);
        let second = [14, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 3, 4, 5, 6, 8];
        assert_eq!(mac_option(&second, 2), Some([2, 3, 4, 5, 6, 8]));
    }

    proptest! {
        #[test]
        fn no_frame_stops_the_reader(frame: Vec<u8>) {
            let _said = read(&frame);
        }

        #[test]
        fn no_options_stop_the_reader(options: Vec<u8>) {
            let _mac = mac_option(&options, TARGET_MAC);
        }

        #[test]
        fn what_is_announced_is_read(own: u128) {
            let own = Ipv6Addr::from(own);
            let said = read(&announcement(mac(), own));
            prop_assert_eq!(said, Some(Said::Has { address: own.into(), mac: mac() }));
        }
    }
}
