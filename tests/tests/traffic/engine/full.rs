//! More pods and workloads than there is room for.

use std::fs;

use aya::maps::{HashMap, Map, MapData};
use berth_ebpf_common::{Workload, WorkloadKey, maps};
use e2e::process::Daemon;
use e2e::wait::until;

use super::ground::{Counts, Ground, PATIENCE, Pod};
use super::hook::hook;
use super::kill::{SOON, faults};

/// An agent with two slots.
fn start(ground: &Ground) -> Daemon {
    let mut agent = ground.agent_at(&faults(), &SOON);
    agent.env("BERTH_FAULT_SLOTS", "3");
    Daemon::start(&mut agent, &ground.scratch.join("agent.log"))
}

/// What the devices of `pods` have sent together.
fn sent(pods: &[&Pod<'_>]) -> (u64, u64) {
    let sent = pods.iter().map(|pod| pod.device().transmit);
    sent.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

fn together(ground: &Ground) -> Counts {
    ground.workload("overflow").unwrap_or_default()
}

#[test]
fn case_49_pods_without_a_slot_are_counted_together_and_the_next_pod_has_one_again() {
    let ground = Ground::new();
    let mut agent = start(&ground);
    let (one, two) = (ground.pod("one"), ground.pod("two"));
    for pod in [&one, &two] {
        ground.wait_counted(&pod.name, hook());
    }
    until(PATIENCE, "nothing is amiss", || {
        ground.degraded() == Some(0.0)
    });
    let (three, four) = (ground.pod("three"), ground.pod("four"));
    let said = "no slot is left";
    until(PATIENCE, "the agent says so", || agent.log().contains(said));
    until(PATIENCE, "its metrics say so", || {
        ground.degraded() > Some(0.0)
    });
    let before = (sent(&[&three, &four]), together(&ground).transmit);
    for pod in [&one, &two, &three, &four] {
        pod.send(20, 100);
        assert!(ground.lan.netns().ping(pod.address()), "it is reached");
    }
    one.assert_exact_among_others("it has a slot");
    two.assert_exact_among_others("it has a slot");
    until(PATIENCE, "every packet is counted once", || {
        let (now, counted) = (sent(&[&three, &four]), together(&ground).transmit);
        (now.0 - before.0.0, now.1 - before.0.1) == (counted.0 - before.1.0, counted.1 - before.1.1)
    });
    one.delete();
    ground.wait_folded("one");
    let five = ground.pod("five");
    ground.wait_counted("five", hook());
    five.send(5, 100);
    five.assert_exact_among_others("it has the slot that is free again");
    agent.stop(PATIENCE);
}

/// Takes every place in the map of workloads that is left.
fn fill(ground: &Ground) {
    const KEY: usize = size_of::<WorkloadKey>();
    const VALUE: usize = size_of::<Workload>();
    let map = MapData::from_pin(ground.pins().join(maps::WORKLOADS)).expect("open the map");
    let mut map: HashMap<_, [u8; KEY], [u8; VALUE]> =
        HashMap::try_from(Map::HashMap(map)).expect("a hash");
    for n in 0_u64.. {
        let mut key = [0xff; KEY];
        for (to, from) in key.iter_mut().zip(n.to_le_bytes()) {
            *to = from;
        }
        if map.insert(key, [0; VALUE], 0).is_err() {
            assert!(n > 1000, "it was full after {n}");
            return;
        }
    }
}

#[test]
fn case_49_with_the_map_of_workloads_full_what_ends_is_in_the_sum_of_all_others() {
    let ground = Ground::new();
    let mut agent = ground.start(&SOON);
    let known = ground.pod("known-0");
    ground.wait_counted("known-0", hook());
    fill(&ground);
    let new = ground.pod("new-0");
    ground.wait_counted("new-0", hook());
    known.send(10, 100);
    new.send(20, 100);
    known.assert_exact_among_others("its workload has its place");
    new.assert_exact_among_others("it is counted by itself");
    let (was, counted) = (sent(&[&known]), sent(&[&new]));
    known.delete();
    new.delete();
    ground.wait_folded("known-0");
    ground.wait_folded("new-0");
    assert_eq!(ground.workload("known").map(|sum| sum.transmit), Some(was));
    assert_eq!(
        ground.workload("other").map(|sum| sum.transmit),
        Some(counted)
    );
    agent.kill();
    let mut agent = ground.start(&[]);
    let last = ground.pod("last-0");
    ground.wait_counted("last-0", hook());
    last.assert_exact_among_others("the next agent goes on");
    assert!(
        fs::exists(ground.pins().join("slots")).expect("look"),
        "in these maps"
    );
    agent.stop(PATIENCE);
}
