//! Protocols, families and RST.

use berth_ebpf_common::constants::{LEVEL_DEFAULT, LEVEL_MIN};
use berth_ebpf_common::{Count, Family, Protocol};
use traffic_agent::kernel::load::{Constants, Way};

use crate::packets::*;
use crate::run::{Bench, Meta, constants};

/// The only cell a packet is counted in.
fn cell(bench: &mut Bench, way: Way, packet: &[u8]) -> (usize, usize) {
    let before = bench.details(way);
    bench.count(way, packet, Meta::default());
    let after = bench.details(way);
    let mut changed = Vec::new();
    for protocol in 0..5 {
        for family in 0..3 {
            let (before, after) = (before[protocol][family], after[protocol][family]);
            if before != after {
                let bytes = u64::try_from(packet.len()).expect("few");
                let expected = Count {
                    bytes: before.bytes + bytes,
                    packets: before.packets + 1,
                };
                assert_eq!(after, expected);
                changed.push((protocol, family));
            }
        }
    }
    assert_eq!(changed.len(), 1, "in one cell: {changed:?}");
    changed[0]
}

fn at(protocol: Protocol, family: Family) -> (usize, usize) {
    let protocol = Protocol::ALL.iter().position(|one| *one == protocol);
    let family = Family::ALL.iter().position(|one| *one == family);
    (protocol.expect("one of all"), family.expect("one of all"))
}

#[test]
fn every_protocol_of_either_family_has_its_cell() {
    let mut bench = Bench::detailed();
    let protocols = [
        (TCP, Protocol::Tcp),
        (UDP, Protocol::Udp),
        (1, Protocol::Icmp),
        (58, Protocol::Icmp),
        (SCTP, Protocol::Sctp),
        (47, Protocol::Other),
        (255, Protocol::Other),
    ];
    for (number, protocol) in protocols {
        for tags in [&[][..], &[VLAN], &[QINQ, VLAN]] {
            let v4 = frame(&[tagged(tags, IPV4), ipv4(number, 5, 0), payload(20)]);
            let v6 = frame(&[tagged(tags, IPV6), ipv6(number), payload(20)]);
            for way in Way::BOTH {
                assert_eq!(
                    cell(&mut bench, way, &v4),
                    at(protocol, Family::V4),
                    "{number}"
                );
                assert_eq!(
                    cell(&mut bench, way, &v6),
                    at(protocol, Family::V6),
                    "{number}"
                );
            }
        }
    }
}

#[test]
fn what_is_not_ip_has_no_family() {
    let mut bench = Bench::detailed();
    for packet in [
        frame(&[broadcast(ARP), payload(28)]),
        tagged(&[VLAN], IPV4),
        ethernet(0),
    ] {
        // Ethernet alone says a family that nothing follows.
        let (protocol, _) = cell(&mut bench, Way::Receive, &packet);
        assert_eq!(protocol, at(Protocol::Other, Family::None).0);
    }
}

/// Extension headers of every kind, one after the other.
fn chain(count: usize, last: u8) -> (u8, Vec<u8>) {
    let kinds = [0, 43, 60, 51, 60];
    let mut bytes = Vec::new();
    for (at, kind) in kinds.iter().take(count).enumerate() {
        let next = kinds
            .get(at + 1)
            .filter(|_| at + 1 < count)
            .unwrap_or(&last);
        bytes.extend(extension(*kind, *next, u8::try_from(at).expect("few")));
    }
    (*kinds.first().filter(|_| count > 0).unwrap_or(&last), bytes)
}

#[test]
fn case_5_up_to_four_extension_headers_are_passed_over() {
    let mut bench = Bench::detailed();
    for (count, expected) in [
        (0, Protocol::Tcp),
        (1, Protocol::Tcp),
        (2, Protocol::Tcp),
        (3, Protocol::Tcp),
        (4, Protocol::Tcp),
        (5, Protocol::Other),
    ] {
        let (first, headers) = chain(count, TCP);
        let packet = frame(&[ethernet(IPV6), ipv6(first), headers, tcp(5, RST)]);
        let resets = bench.direction(Way::Receive).resets;
        let found = cell(&mut bench, Way::Receive, &packet);
        assert_eq!(found, at(expected, Family::V6), "{count} headers");
        let counted = bench.direction(Way::Receive).resets - resets;
        assert_eq!(counted, u64::from(count < 5), "RST behind {count} headers");
    }
}

/// A packet, and how many segments with RST it is.
fn segments() -> Vec<(&'static str, Vec<u8>, u64)> {
    let behind = |header: Vec<u8>, flags| frame(&[ethernet(IPV4), header, tcp(5, flags)]);
    let fragment = |offset: u8| vec![TCP, 0, 0, offset, 0, 0, 0, 0];
    let in6 = |next, header: Vec<u8>| frame(&[ethernet(IPV6), ipv6(next), header, tcp(5, RST)]);
    let tag = |ethertype| tagged(&[VLAN], ethertype);
    let cut = frame(&[ethernet(IPV4), ipv4(TCP, 5, 0), tcp(5, RST)[..13].to_vec()]);
    vec![
        ("RST", behind(ipv4(TCP, 5, 0), RST), 1),
        ("RST and ACK", behind(ipv4(TCP, 5, 0), RST | ACK), 1),
        ("ACK", behind(ipv4(TCP, 5, 0), ACK), 0),
        ("IPv4 options", behind(ipv4(TCP, 8, 0), RST), 1),
        (
            "may not be fragmented",
            behind(ipv4(TCP, 5, 0x4000), RST),
            1,
        ),
        ("the first fragment", behind(ipv4(TCP, 5, 0x2000), RST), 1),
        ("a later fragment", behind(ipv4(TCP, 5, 0x2001), RST), 0),
        ("the last fragment", behind(ipv4(TCP, 5, 1), RST), 0),
        ("a later one with options", behind(ipv4(TCP, 6, 1), RST), 0),
        ("UDP", behind(ipv4(UDP, 5, 0), RST), 0),
        (
            "a tag",
            frame(&[tag(IPV4), ipv4(TCP, 5, 0), tcp(5, RST)]),
            1,
        ),
        ("IPv6", in6(TCP, Vec::new()), 1),
        (
            "IPv6, a tag",
            frame(&[tag(IPV6), ipv6(TCP), tcp(5, RST)]),
            1,
        ),
        ("IPv6, the first fragment", in6(44, fragment(1)), 1),
        ("IPv6, a later fragment", in6(44, fragment(8)), 0),
        ("flags behind the end", cut, 0),
        (
            "less than a header",
            frame(&[ethernet(IPV4), vec![0x44; 40]]),
            0,
        ),
    ]
}

/// A packet's resets, each way.
fn resets(bench: &mut Bench, packet: &[u8]) -> [u64; 2] {
    Way::BOTH.map(|way| bench.count(way, packet, Meta::default()).resets)
}

#[test]
fn a_reset_is_counted_in_its_direction() {
    let mut bench = Bench::detailed();
    for (case, packet, expected) in segments() {
        assert_eq!(resets(&mut bench, &packet), [expected; 2], "{case}");
    }
}

#[test]
fn resets_are_counted_at_every_level_and_only_when_asked_for() {
    let packet = frame(&[ethernet(IPV4), ipv4(TCP, 5, 0), tcp(5, RST)]);
    for level in [LEVEL_MIN, LEVEL_DEFAULT] {
        for tcp in [0, 1] {
            let constants = Constants {
                tcp,
                ..constants(level)
            };
            let mut bench = Bench::new(&constants);
            assert_eq!(resets(&mut bench, &packet), [u64::from(tcp); 2]);
        }
    }
}

#[test]
fn details_hold_what_the_scopes_hold() {
    let mut bench = Bench::detailed();
    let packet = frame(&[ethernet(IPV4), ipv4(TCP, 5, 0), tcp(8, ACK), payload(2896)]);
    bench.count(Way::Receive, &packet, crate::run::gso(1448, 2));
    let found = bench.details(Way::Receive)[0][0];
    assert_eq!((found.bytes, found.packets), (2 * 66 + 2896, 2));
}
