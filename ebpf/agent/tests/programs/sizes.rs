//! Bytes and packets as on the wire.

use traffic_agent::kernel::load::Way;

use crate::packets::*;
use crate::run::{Bench, Meta, gso, total};

/// A packet, what the kernel knows of it, and its bytes and packets on the wire.
type Case = (&'static str, Vec<u8>, Meta, (usize, u64));

/// Small, for the kernel runs no packet that does not fit into a page.
const MSS: usize = 50;

fn tcp4(payloads: usize) -> Vec<u8> {
    let headers = [ethernet(IPV4), ipv4(TCP, 5, 0), tcp(8, ACK)].concat();
    frame(&[headers, payload(payloads)])
}

fn tcp6(extensions: &[Vec<u8>], first: u8, payloads: usize) -> Vec<u8> {
    let headers = [
        ethernet(IPV6),
        sized_ipv6(first, 0),
        extensions.concat(),
        tcp(8, ACK),
    ];
    frame(&[headers.concat(), payload(payloads)])
}

fn plain(ether: Vec<u8>, protocol: u8, transport: Vec<u8>, bytes: usize) -> Vec<u8> {
    frame(&[ether, ipv4(protocol, 5, 0), transport, payload(bytes)])
}

/// The same within a tunnel.
fn within(outer: &[Vec<u8>], bytes: usize) -> Vec<u8> {
    let inner = [ipv4(TCP, 5, 0), tcp(8, ACK), payload(bytes)].concat();
    [outer.concat(), inner].concat()
}

/// What one TCP connection sends.
fn tcp_cases() -> Vec<Case> {
    let ten = 10 * MSS;
    vec![
        ("no segments", tcp4(MSS), Meta::default(), (66 + MSS, 1)),
        ("no payload", tcp4(0), Meta::default(), (66, 1)),
        ("one segment", tcp4(MSS), gso(50, 1), (66 + MSS, 1)),
        (
            "whole segments",
            tcp4(ten),
            gso(50, 10),
            (10 * (66 + MSS), 10),
        ),
        (
            "a short last",
            tcp4(ten + 1),
            gso(50, 11),
            (11 * 66 + ten + 1, 11),
        ),
        (
            "45 segments",
            tcp4(45 * MSS),
            gso(50, 45),
            (45 * (66 + MSS), 45),
        ),
        ("one byte each", tcp4(1000), gso(1, 1000), (1000 * 67, 1000)),
        (
            "not counted: whole",
            tcp4(ten),
            gso(50, 0),
            (10 * (66 + MSS), 10),
        ),
        (
            "not counted: more",
            tcp4(ten + 1),
            gso(50, 0),
            (11 * 66 + ten + 1, 11),
        ),
        ("not counted: one", tcp4(10), gso(50, 0), (76, 1)),
    ]
}

/// The same with more headers.
fn longer_cases() -> Vec<Case> {
    let ten = 10 * MSS;
    let options = frame(&[ethernet(IPV4), ipv4(TCP, 15, 0), tcp(15, ACK), payload(100)]);
    let tag = plain(tagged(&[VLAN], IPV4), TCP, tcp(8, ACK), ten);
    let tags = plain(tagged(&[QINQ, VLAN], IPV4), TCP, tcp(8, ACK), ten);
    let extended = tcp6(&[extension(60, TCP, 1)], 60, ten);
    let jumbo = tcp6(&[jumbo(TCP)], 0, 60 * MSS);
    vec![
        ("IPv4 options", options, gso(10, 10), (10 * 134 + 100, 10)),
        (
            "IPv6",
            tcp6(&[], TCP, ten),
            gso(50, 10),
            (10 * (86 + MSS), 10),
        ),
        (
            "IPv6 with options",
            extended,
            gso(50, 10),
            (10 * (102 + MSS), 10),
        ),
        (
            "a jumbo option is on no wire",
            jumbo.clone(),
            gso(50, 60),
            (60 * (86 + MSS), 60),
        ),
        (
            "a jumbo option, not counted",
            jumbo,
            gso(50, 0),
            (60 * (86 + MSS), 60),
        ),
        (
            "a tag in the packet",
            tag,
            gso(50, 10),
            (10 * (70 + MSS), 10),
        ),
        ("two tags", tags, gso(50, 10), (10 * (74 + MSS), 10)),
    ]
}

/// Other protocols, and tunnels.
fn other_cases() -> Vec<Case> {
    let vxlan = [
        ipv4(UDP, 5, 0),
        udp(4789),
        vec![8, 0, 0, 0, 0, 0, 5, 0],
        ethernet(IPV4),
    ];
    let vxlan = within(&[ethernet(IPV4), vxlan.concat()], 10 * MSS);
    let options = vec![1, 0, 0x65, 0x58, 0, 0, 5, 0, 1, 2, 3, 4];
    let geneve = [
        ethernet(IPV6),
        ipv6(UDP),
        udp(6081),
        options,
        ethernet(IPV4),
    ];
    let geneve = within(&geneve, 10 * MSS);
    let gre = [
        ethernet(IPV4),
        ipv4(47, 5, 0),
        vec![0x20, 0, 8, 0, 0, 0, 0, 1],
    ];
    let gre = within(&gre, 10 * MSS);
    let ipip = within(&[ethernet(IPV4), ipv4(4, 5, 0)], 10 * MSS);
    let uso6 = frame(&[ethernet(IPV6), ipv6(UDP), udp(53), payload(2501)]);
    let sctp = plain(ethernet(IPV4), SCTP, sctp(), 3000);
    let uso = |bytes| plain(ethernet(IPV4), UDP, udp(53), bytes);
    vec![
        ("USO", uso(2500), gso(500, 5), (5 * 42 + 2500, 5)),
        (
            "USO, not counted",
            uso(2501),
            gso(500, 0),
            (6 * 42 + 2501, 6),
        ),
        ("USO, IPv6", uso6, gso(500, 6), (6 * 62 + 2501, 6)),
        (
            "SCTP, by fragments",
            sctp,
            gso(0xffff, 3),
            (3 * 46 + 3000, 3),
        ),
        ("VXLAN", vxlan, gso(50, 10), (10 * (50 + 66 + MSS), 10)),
        ("Geneve", geneve, gso(50, 10), (10 * (74 + 66 + MSS), 10)),
        (
            "GRE with a key",
            gre,
            gso(50, 10),
            (10 * (42 + 52 + MSS), 10),
        ),
        ("IP in IP", ipip, gso(50, 10), (10 * (34 + 52 + MSS), 10)),
    ]
}

#[test]
fn case_1_to_6_bytes_and_packets_are_those_of_the_wire() {
    for (mut bench, hook) in [(Bench::inside(), "ingress"), (Bench::outside(), "egress")] {
        for (case, frame, meta, (bytes, packets)) in
            [tcp_cases(), longer_cases(), other_cases()].concat()
        {
            let added = bench.count(Way::Receive, &frame, meta);
            let counted = total(&added);
            let bytes = u64::try_from(bytes).expect("few");
            assert_eq!(
                (counted.bytes, counted.packets),
                (bytes, packets),
                "{hook}: {case}"
            );
            assert_eq!(added.estimated, 0, "{hook}: {case}");
            let len = u64::try_from(frame.len()).expect("few");
            let surplus = (added.surplus.bytes, added.surplus.packets);
            assert_eq!(
                surplus,
                (bytes.wrapping_sub(len), packets - 1),
                "{hook}: {case}"
            );
        }
    }
}

#[test]
fn what_the_kernel_measured_counts_where_headers_are_not_understood() {
    let unknown = frame(&[ethernet(IPV4), ipv4(99, 5, 0), payload(3000)]);
    let meta = Meta {
        wire_len: 3500,
        ..gso(1000, 3)
    };
    let added = Bench::outside().count(Way::Receive, &unknown, meta);
    assert_eq!((total(&added).bytes, total(&added).packets), (3500, 3));
    assert_eq!(added.estimated, 0);

    // Nobody measures what arrives.
    let added = Bench::inside().count(Way::Receive, &unknown, meta);
    assert_eq!((total(&added).bytes, total(&added).packets), (3034, 3));
    assert_eq!((added.estimated, added.surplus.packets), (1, 2));
}

#[test]
fn the_kernel_sees_inside_a_tunnel_of_a_port_that_is_not_known() {
    let frame = plain(ethernet(IPV4), UDP, udp(9999), 2500);
    let meta = Meta {
        wire_len: 3500,
        ..gso(500, 5)
    };
    let added = Bench::outside().count(Way::Receive, &frame, meta);
    assert_eq!((total(&added).bytes, total(&added).packets), (3500, 5));
}

#[test]
fn what_the_kernel_measured_wrong_is_not_taken() {
    // It leaves SCTP's own header out.
    let frame = plain(ethernet(IPV4), SCTP, sctp(), 3000);
    let meta = Meta {
        wire_len: 46 + 3000 + 2 * 34,
        ..gso(0xffff, 3)
    };
    let added = Bench::outside().count(Way::Receive, &frame, meta);
    assert_eq!(
        (total(&added).bytes, total(&added).packets),
        (3 * 46 + 3000, 3)
    );
}

#[test]
fn a_length_that_is_less_than_its_headers_goes_below_nothing() {
    let short = frame(&[ethernet(IPV4), ipv4(TCP, 5, 0), tcp(15, ACK)[..20].to_vec()]);
    for segments in [0, 1] {
        let added = Bench::inside().count(Way::Receive, &short, gso(50, segments));
        assert_eq!((total(&added).bytes, total(&added).packets), (54, 1));
    }
}

#[test]
fn fragments_by_sizes_that_nobody_counted_are_an_estimate() {
    let frame = plain(ethernet(IPV4), SCTP, sctp(), 3000);
    let added = Bench::inside().count(Way::Transmit, &frame, gso(0xffff, 0));
    assert_eq!((total(&added).bytes, total(&added).packets), (3046, 1));
    assert_eq!(added.estimated, 1);
}
