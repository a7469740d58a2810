//! Where the other end is.

use berth_ebpf_common::Scope;
use berth_ebpf_common::constants::LEVEL_MIN;
use traffic_agent::kernel::load::Way;

use crate::packets::*;
use crate::run::{Bench, constants};

const NEAR: usize = 0;
const CLUSTER: usize = 1;
const EXTERNAL: usize = 2;
const OTHER: usize = 3;

fn v4() -> Vec<u8> {
    frame(&[ethernet(IPV4), ipv4(UDP, 5, 0), udp(53)])
}

fn v6() -> Vec<u8> {
    frame(&[ethernet(IPV6), ipv6(UDP), udp(53)])
}

#[test]
fn the_peer_is_the_sender_of_what_is_received_and_the_receiver_of_what_is_sent() {
    let mut bench = Bench::inside();
    bench.near4(FROM4);
    bench.near6(FROM6);
    bench.scope4([198, 51, 0, 0], 16, Scope::Cluster as u32);
    bench.scope6(TO6, 48, Scope::Cluster as u32);
    for (case, packet) in [("IPv4", v4()), ("IPv6", v6())] {
        assert_eq!(bench.scope(Way::Receive, &packet), NEAR, "{case}");
        assert_eq!(bench.scope(Way::Transmit, &packet), CLUSTER, "{case}");
    }
}

#[test]
fn the_nodes_end_sees_the_same_from_the_other_side() {
    let mut bench = Bench::outside();
    bench.near4(FROM4);
    assert_eq!(bench.scope(Way::Receive, &v4()), NEAR);
    assert_eq!(bench.scope(Way::Transmit, &v4()), EXTERNAL);
}

#[test]
fn the_longest_prefix_decides() {
    let mut bench = Bench::inside();
    bench.scope4([0; 4], 0, Scope::External as u32);
    bench.scope4([192, 0, 0, 0], 8, Scope::Cluster as u32);
    assert_eq!(bench.scope(Way::Receive, &v4()), CLUSTER);
    bench.scope4(FROM4, 32, Scope::Other as u32);
    assert_eq!(bench.scope(Way::Receive, &v4()), OTHER);
    bench.scope6(
        [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        10,
        Scope::Other as u32,
    );
    assert_eq!(bench.scope(Way::Receive, &v6()), EXTERNAL);
}

#[test]
fn a_scope_that_does_not_exist_stays_within_its_slot() {
    let mut bench = Bench::inside();
    bench.scope4(FROM4, 32, u32::MAX);
    assert_eq!(bench.scope(Way::Receive, &v4()), OTHER);
}

#[test]
fn case_7_what_has_no_one_peer_is_other() {
    let group = [0x01, 0, 0x5e, 0, 0, 251];
    let cases = [
        ("ARP", frame(&[broadcast(ARP), payload(28)])),
        ("ARP's answer", frame(&[ethernet(ARP), payload(28)])),
        (
            "broadcast",
            frame(&[broadcast(IPV4), ipv4(UDP, 5, 0), udp(67)]),
        ),
        (
            "multicast",
            frame(&[addressed(group, IPV4), ipv4(UDP, 5, 0), udp(5353)]),
        ),
        (
            "IPv6 multicast",
            frame(&[addressed([0x33, 0x33, 0, 0, 0, 1], IPV6), ipv6(58)]),
        ),
        ("LLDP", frame(&[ethernet(0x88cc), payload(50)])),
        (
            "three tags",
            frame(&[tagged(&[QINQ, VLAN, VLAN], IPV4), ipv4(UDP, 5, 0)]),
        ),
        ("nothing behind a tag", tagged(&[VLAN], IPV4)),
    ];
    let mut bench = Bench::inside();
    bench.near4(FROM4);
    bench.near6(FROM6);
    for (case, packet) in cases {
        for way in Way::BOTH {
            assert_eq!(bench.scope(way, &packet), OTHER, "{case}");
        }
    }
}

#[test]
fn case_6_tags_are_passed_over() {
    let mut bench = Bench::inside();
    bench.near4(FROM4);
    bench.near6(FROM6);
    for tags in [&[VLAN][..], &[QINQ], &[QINQ, VLAN], &[VLAN, VLAN]] {
        let v4 = frame(&[tagged(tags, IPV4), ipv4(UDP, 5, 0), udp(53)]);
        let v6 = frame(&[tagged(tags, IPV6), ipv6(UDP), udp(53)]);
        assert_eq!(bench.scope(Way::Receive, &v4), NEAR, "{tags:?}");
        assert_eq!(bench.scope(Way::Receive, &v6), NEAR, "{tags:?}");
        assert_eq!(bench.scope(Way::Transmit, &v6), EXTERNAL, "{tags:?}");
    }
}

#[test]
fn the_least_level_asks_for_no_peer() {
    let mut bench = Bench::new(&constants(LEVEL_MIN));
    bench.near4(FROM4);
    for way in Way::BOTH {
        assert_eq!(bench.scope(way, &v4()), OTHER);
    }
}
