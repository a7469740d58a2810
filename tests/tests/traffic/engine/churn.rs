//! Many pods at once, and pods that come and go.

use std::fs;
use std::path::Path;

use e2e::process::Daemon;
use e2e::wait::{becomes_true, until};

use super::ground::{Counts, Ground, PATIENCE, Pod};
use super::hook::hook;

/// How many pods, and how often.
fn size() -> (usize, usize) {
    match std::env::var_os("BERTH_LONG") {
        Some(_) => (500, 20),
        None => (60, 1),
    }
}

/// Descriptors that a process has open.
fn descriptors(agent: &Daemon) -> usize {
    let folder = format!("/proc/{}/fd", agent.pid());
    fs::read_dir(Path::new(&folder)).map_or(0, Iterator::count)
}

/// As [`Pod::assert_exact_among_others`] of each, by one look at all.
fn assert_all_exact(ground: &Ground, pods: &[Pod<'_>]) {
    let mut other = Vec::new();
    let all = becomes_true(PATIENCE, || {
        let devices: Vec<Counts> = pods.iter().map(Pod::device).collect();
        let counted = ground.all_counted();
        let both = pods.iter().zip(devices);
        let both = both.map(|(pod, device)| (&pod.name, device, counted.get(&pod.name)));
        other = both
            .filter(|(_, device, counted)| {
                counted.is_none_or(|counted| {
                    device.transmit != counted.transmit || device.receive.1 != counted.receive.1
                })
            })
            .map(|differing| format!("{differing:?}"))
            .collect();
        other.is_empty()
    });
    assert!(all, "name, device and counted: {other:#?}");
}

#[test]
fn case_28_pods_come_and_go_and_no_pin_slot_descriptor_or_namespace_is_left() {
    let ground = Ground::new();
    let mut agent = ground.start(&["--show-ended", "1"]);
    until(PATIENCE, "the agent has its maps", || {
        ground.pins().join("workloads").exists()
    });
    let (pods, rounds) = size();
    // What it opens once, it has opened by then.
    let first = ground.pod("first");
    ground.wait_counted("first", hook());
    first.delete();
    drop(first);
    ground.wait_folded("first");
    let before = descriptors(&agent);
    let mut sum = Counts::default();
    for _ in 0..rounds {
        let pods: Vec<Pod<'_>> = (0..pods)
            .map(|n| ground.pod(&format!("churn{n}-x2x7z")))
            .collect();
        until(PATIENCE * 3, "all are counted", || {
            ground.counted_by(hook()) == pods.len()
        });
        for pod in &pods {
            pod.send(3, 64);
        }
        assert_all_exact(&ground, &pods);
        for pod in &pods {
            // Or it answers a neighbour between the look and its end.
            pod.netns.ip(&["link", "set", "eth0", "down"]);
            let device = pod.device();
            sum.transmit.1 += device.transmit.1;
            pod.delete();
        }
        drop(pods);
        until(PATIENCE * 3, "all are folded", || {
            ground.links().is_empty()
                && ground.snapshot()["interfaces"]
                    .as_array()
                    .is_some_and(Vec::is_empty)
        });
        let snapshot = ground.snapshot();
        let folded: u64 = snapshot["workloads"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| {
                one["name"]
                    .as_str()
                    .is_some_and(|name| name.starts_with("churn"))
            })
            .filter_map(|one| one["totals"]["transmit"]["packets"].as_u64())
            .sum();
        assert_eq!(folded, sum.transmit.1, "every packet is in a workload");
    }
    until(PATIENCE, "no descriptor is left", || {
        descriptors(&agent) <= before + 2
    });
    assert!(agent.lives());
}

#[test]
fn what_was_there_before_the_agent_does_not_keep_it_from_answering() {
    let ground = Ground::new();
    let pods: Vec<Pod<'_>> = (0..40).map(|n| ground.pod(&format!("early{n}"))).collect();
    let mut agent = ground.start(&[]);
    until(PATIENCE, "the agent has its maps", || {
        ground.pins().join("workloads").exists()
    });
    // While it attaches.
    let shown = ground.snapshot();
    assert!(shown["interfaces"].is_array());
    until(PATIENCE, "all are counted", || {
        ground.counted_by(hook()) == pods.len()
    });
    for pod in &pods {
        pod.assert_exact_among_others("it began with the device's counters");
    }
    agent.stop(PATIENCE);
}

#[test]
fn case_35_a_pod_of_the_same_name_takes_the_place_of_the_one_before() {
    let ground = Ground::new();
    let mut agent = ground.start(&["--show-ended", "60"]);
    let first = ground.pod("db-0");
    ground.wait_counted("db-0", hook());
    first.send(50, 100);
    first.assert_exact("the first");
    let before = first.counted();
    first.delete();
    drop(first);
    until(PATIENCE, "it is shown as ended", || {
        ground
            .shown("db-0")
            .is_some_and(|shown| shown["ended"] == true)
    });
    let second = ground.pod("db-0");
    ground.wait_counted("db-0", hook());
    second.assert_exact("the second begins anew");
    let shown = ground.snapshot();
    assert_eq!(
        shown["interfaces"].as_array().map(Vec::len),
        Some(1),
        "{shown}"
    );
    let sum = ground.workload("db").expect("its workload");
    let counted = second.counted();
    assert_eq!(
        sum.transmit.1,
        before.transmit.1 + counted.transmit.1,
        "both are in the sum"
    );
    agent.stop(PATIENCE);
}

#[test]
fn case_48_after_a_reboot_the_workloads_go_on_from_the_file() {
    let ground = Ground::new();
    let mut agent = ground.start(&[]);
    let pod = ground.pod("web-0");
    ground.wait_counted("web-0", hook());
    pod.send(20, 100);
    pod.assert_exact("before");
    let before = ground.workload("web").expect("a sum");
    agent.stop(PATIENCE);
    // A reboot leaves neither pins, nor records, nor pods.
    pod.delete();
    drop(pod);
    ground.forget_pins();
    let mut agent = ground.start(&[]);
    until(PATIENCE, "the sums are back", || {
        ground.workload_if_any("web") == Some(before)
    });
    agent.stop(PATIENCE);
}
