//! Headers that end early.

use berth_ebpf_common::constants::{LEVEL_DEFAULT, LEVEL_DETAIL, LEVEL_MIN};
use traffic_agent::kernel::load::{Constants, Way};

use crate::packets::*;
use crate::run::{Bench, Meta, constants, gso, runs, total};

fn whole() -> Vec<(&'static str, Vec<u8>)> {
    let extensions = [
        extension(0, 43, 1),
        extension(43, 44, 0),
        extension(44, 60, 0),
        extension(60, TCP, 2),
    ];
    let vxlan = [
        ipv4(UDP, 5, 0),
        udp(4789),
        vec![8, 0, 0, 0, 0, 0, 5, 0],
        ethernet(IPV4),
    ];
    vec![
        (
            "TCP",
            frame(&[ethernet(IPV4), ipv4(TCP, 15, 0), tcp(15, RST)]),
        ),
        (
            "tags before IPv4",
            frame(&[tagged(&[QINQ, VLAN], IPV4), ipv4(UDP, 5, 0), udp(53)]),
        ),
        (
            "IPv6",
            frame(&[ethernet(IPV6), ipv6(0), extensions.concat(), tcp(5, RST)]),
        ),
        (
            "a tag before IPv6",
            frame(&[
                tagged(&[VLAN], IPV6),
                ipv6(0),
                extensions.concat(),
                tcp(5, RST),
            ]),
        ),
        (
            "VXLAN",
            frame(&[ethernet(IPV4), vxlan.concat(), ipv4(TCP, 5, 0), tcp(5, RST)]),
        ),
    ]
}

#[test]
fn a_packet_counts_wherever_its_headers_end() {
    for level in [LEVEL_MIN, LEVEL_DEFAULT, LEVEL_DETAIL] {
        for node_end in [0, 1] {
            let constants = Constants {
                node_end,
                tcp: 1,
                ..constants(level)
            };
            every_length(&mut Bench::new(&constants));
        }
    }
}

fn every_length(bench: &mut Bench) {
    for (case, packet) in whole() {
        for len in (0..=packet.len()).filter(|len| runs(&packet[..*len])) {
            for way in Way::BOTH {
                let added = bench.count(way, &packet[..len], Meta::default());
                let count = total(&added);
                let bytes = u64::try_from(len).expect("few");
                assert_eq!(
                    (count.bytes, count.packets),
                    (bytes, 1),
                    "{case} of {len} bytes"
                );
            }
            let added = bench.count(Way::Receive, &packet[..len], gso(100, 3));
            let count = total(&added);
            assert_eq!(count.packets, 3, "{case} of {len} bytes in segments");
            assert!(
                count.bytes >= u64::try_from(len).expect("few"),
                "{case} of {len} bytes"
            );
        }
    }
}
