//! Whatever comes.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use traffic_agent::kernel::load::Way;

use crate::packets::*;
use crate::run::{Bench, CONTINUE, Meta, runs, total};

/// Random bytes behind a beginning that leads somewhere.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let beginnings = prop_oneof![
        Just(Vec::new()),
        Just(ethernet(IPV4)),
        Just(ethernet(IPV6)),
        Just(tagged(&[QINQ, VLAN], IPV6)),
        any::<(u8, u8, u16)>().prop_map(|(protocol, words, fragment)| {
            frame(&[ethernet(IPV4), ipv4(protocol, words & 0xf, fragment)])
        }),
        any::<u8>().prop_map(|next| frame(&[ethernet(IPV6), ipv6(next)])),
        any::<u8>().prop_map(|next| frame(&[ethernet(IPV6), sized_ipv6(0, 0), jumbo(next)])),
        prop_oneof![Just(4789), Just(6081), Just(53)].prop_map(|port| frame(&[
            ethernet(IPV4),
            ipv4(UDP, 5, 0),
            udp(port)
        ])),
    ];
    let rest = proptest::collection::vec(any::<u8>(), 14..200);
    let whole = (beginnings, rest).prop_map(|(beginning, rest)| [beginning, rest].concat());
    whole.prop_filter("the kernel runs no IP without its header", |frame| {
        runs(frame)
    })
}

fn metas() -> impl Strategy<Value = Meta> {
    let plain = Just(Meta::default());
    let segments = (
        prop_oneof![1_u32..2000, Just(0xffff)],
        0_u32..100,
        0_u32..3000,
    );
    let segmented = segments.prop_map(|(gso_size, gso_segs, wire_len)| Meta {
        gso_size,
        gso_segs,
        wire_len,
    });
    prop_oneof![plain, segmented]
}

#[test]
fn no_bytes_change_the_verdict_or_lose_a_packet() {
    let benches = [Bench::detailed(), Bench::outside()].map(RefCell::new);
    let mut runner = TestRunner::new(Config::with_cases(3000));
    let held = runner.run(&(frames(), metas()), |(frame, meta)| {
        let len = u32::try_from(frame.len()).expect("few");
        // The kernel refuses to run with less.
        let wire_len = if meta.wire_len < len {
            0
        } else {
            meta.wire_len
        };
        let meta = Meta { wire_len, ..meta };
        for bench in &benches {
            let mut bench = bench.borrow_mut();
            for way in Way::BOTH {
                let before = total(&bench.direction(way));
                prop_assert_eq!(bench.verdict(way, &frame, meta), CONTINUE);
                let after = total(&bench.direction(way));
                let packets = after.packets - before.packets;
                let bytes = after.bytes - before.bytes;
                let least = if meta.gso_size == 0 || meta.gso_segs == 0 {
                    1
                } else {
                    meta.gso_segs
                };
                prop_assert!(packets >= u64::from(least), "{} packets", packets);
                prop_assert!(bytes + 16 >= u64::from(len), "{} bytes", bytes);
                prop_assert!(
                    bytes <= packets * u64::from(len).max(3000),
                    "{} bytes",
                    bytes
                );
                prop_assert_eq!(bench.container_verdict(way, &frame, meta), 1);
            }
        }
        Ok(())
    });
    held.expect("hold for every packet");
}
