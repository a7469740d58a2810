//! What a container's sockets do. Whose they are is for the end-to-end tests: here they are the test's.

use berth_ebpf_common::{Count, Unattributed};
use traffic_agent::kernel::load::{Constants, Way};

use crate::packets::*;
use crate::run::{Bench, Meta, gso};

const PASS: u32 = 1;

/// A packet, what is known of it, and its bytes and packets from the network header on.
type Case = (&'static str, Vec<u8>, Meta, (u64, u64));

fn cases() -> Vec<Case> {
    let v4 = |bytes| frame(&[ethernet(IPV4), ipv4(TCP, 5, 0), tcp(8, ACK), payload(bytes)]);
    let v6 = |bytes| frame(&[ethernet(IPV6), ipv6(UDP), udp(53), payload(bytes)]);
    let big = frame(&[
        ethernet(IPV6),
        sized_ipv6(0, 0),
        jumbo(TCP),
        tcp(8, ACK),
        payload(2800),
    ]);
    vec![
        ("no segments", v4(100), Meta::default(), (152, 1)),
        ("segments", v4(1000), gso(100, 10), (10 * 52 + 1000, 10)),
        ("not counted", v4(1000), gso(100, 0), (10 * 52 + 1000, 10)),
        ("IPv6", v6(100), Meta::default(), (148, 1)),
        ("USO", v6(2500), gso(500, 5), (5 * 48 + 2500, 5)),
        (
            "a jumbo option is on no wire",
            big,
            gso(40, 70),
            (70 * 72 + 2800, 70),
        ),
    ]
}

/// Run without an interface, the kernel takes the loopback's.
fn loopback(bench: &Bench, way: Way, slot: Unattributed) -> Count {
    let value = bench.container(slot);
    match way {
        Way::Receive => value.loopback_receive,
        Way::Transmit => value.loopback_transmit,
    }
}

#[test]
fn case_8_a_containers_packets_pass_and_count_from_the_network_header_on() {
    // No cgroup is that deep: the socket is the pod's.
    let constants = Constants {
        depth: 200,
        ..Constants::default()
    };
    let mut bench = Bench::new(&constants);
    for (case, packet, meta, (bytes, packets)) in cases() {
        for way in Way::BOTH {
            let before = loopback(&bench, way, Unattributed::PodCgroup);
            assert_eq!(bench.container_verdict(way, &packet, meta), PASS, "{case}");
            let after = loopback(&bench, way, Unattributed::PodCgroup);
            let added = (after.bytes - before.bytes, after.packets - before.packets);
            assert_eq!(added, (bytes, packets), "{case}");
        }
    }
    let value = bench.container(Unattributed::PodCgroup);
    assert_eq!(
        (value.receive, value.transmit),
        (Count::default(), Count::default())
    );
}

#[test]
fn case_40_a_cgroup_that_nobody_named_is_unknown() {
    let mut bench = Bench::new(&Constants::default());
    let (_, packet, meta, _) = cases().remove(0);
    assert_eq!(bench.container_verdict(Way::Receive, &packet, meta), PASS);
    assert_eq!(
        loopback(&bench, Way::Receive, Unattributed::UnknownCgroup).packets,
        1
    );
    assert_eq!(
        loopback(&bench, Way::Receive, Unattributed::PodCgroup).packets,
        0
    );
}
