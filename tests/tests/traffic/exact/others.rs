//! Programs of others on the same interface, and packets larger than any other test's.

use std::io::{Read as _, Write as _};

use aya::maps::Array;
use aya::programs::Program;
use aya::{Ebpf, EbpfLoader};
use berth_ebpf_common::SlotValue;
use traffic_agent::kernel::bpf::Hook;

use super::flows::{self, From};
use super::ground::{ETH, Family, Ground, Link};
use super::hooks::{Beside, attach_beside};

/// Among others a program that gives every packet on, and counts in an array of its own.
static OTHERS: &[u8] = aya::include_bytes_aligned!("../../../../ebpf/bench.o");

/// Attaches the other program to both directions of the container's interface.
fn attach(ground: &Ground, beside: Beside) -> Ebpf {
    let mut object = EbpfLoader::new().btf(None).load(OTHERS).expect("load");
    let Some(Program::SchedClassifier(other)) = object.program_mut("array") else {
        panic!("the object has its program");
    };
    other.load().expect("load a program (run as root)");
    for hook in [Hook::Ingress, Hook::Egress] {
        ground
            .container
            .run(|| attach_beside(other, ETH, hook, beside));
    }
    object
}

#[test]
fn case_17_another_program_before_or_behind_ours_still_runs_and_changes_nothing() {
    for theirs in [Beside::Before, Beside::Behind] {
        let ground = Ground::new(Link::Veth);
        let object = attach(&ground, theirs);
        ground.is_exact("with another program", |ground| {
            flows::bulk(ground, From::Container, Family::V4, 1 << 20);
            flows::bulk(ground, From::Peer, Family::V6, 1 << 20);
        });
        let map = object.map("slots").expect("its map");
        let values: Array<_, SlotValue> = Array::try_from(map).expect("an array");
        let seen = values.get(&0, 0).expect("its count").receive.scopes[0];
        assert!(seen.packets > 50, "the other program saw packets: {seen:?}");
    }
}

/// BIG TCP (Linux 5.19): one packet of the kernel's is longer than its header can say.
#[test]
fn case_5_what_is_larger_than_a_header_can_say_counts_as_on_the_wire() {
    const MEGABYTES: u64 = 24;
    let ground = Ground::new(Link::Veth);
    for (netns, name) in [(&ground.container, ETH), (ground.lan.netns(), "port1")] {
        for limit in ["gso_max_size", "gro_max_size"] {
            netns.ip(&["link", "set", name, limit, "180000"]);
        }
    }
    let before = ground.own_packets();
    ground.is_exact("larger than 64 KiB", |ground| {
        let (from, window) = (From::Container, 8 << 20);
        flows::through(ground, from, Family::V6, window, &|mut stream, server| {
            let mut buffer = vec![7; 1 << 20];
            if server {
                while stream.read(&mut buffer).expect("read") > 0 {}
            } else {
                for _ in 0..MEGABYTES {
                    stream.write_all(&buffer).expect("write");
                }
            }
        });
    });
    let packets = ground.own_packets() - before;
    assert!(
        packets < MEGABYTES * 16,
        "{packets} packets, of 64 KiB or less"
    );
}
