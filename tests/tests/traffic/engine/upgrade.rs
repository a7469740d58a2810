//! Another version of the maps: up and down again, without a gap.

use std::fs;

use e2e::wait::until;

use super::ground::{Ground, PATIENCE, counts};
use super::hook::hook;
use super::kill::{SOON, at_every_place, counts_on, is_attached};

/// Makes this version's maps those of another one, as the agent sees them.
fn make_foreign(ground: &Ground) {
    let own = ground.pins();
    fs::rename(&own, own.with_file_name("v7")).expect("rename the folder of pins");
}

fn is_done(ground: &Ground) -> bool {
    !ground.pins().with_file_name("v7").exists()
}

#[test]
fn case_45_another_version_is_taken_over_under_traffic_without_a_gap_and_its_sums_go_on() {
    let ground = Ground::new();
    let mut agent = ground.start(&SOON);
    let ended = ground.pod("early-0");
    ground.wait_counted("early-0", hook());
    ended.send(10, 100);
    ended.assert_exact("before its end");
    let before = ended.counted();
    ended.delete();
    ground.wait_folded("early-0");
    let pod = ground.pod("loaded");
    ground.wait_counted("loaded", hook());
    pod.assert_exact("before");
    agent.stop(PATIENCE);
    pod.under_load(|| {
        // Up, and down, and up.
        for _ in 0..3 {
            make_foreign(&ground);
            let mut agent = ground.start(&SOON);
            until(PATIENCE, "all is taken over", || is_done(&ground));
            agent.stop(PATIENCE);
        }
    });
    pod.assert_exact("after all of it");
    let shown = ground.shown("loaded").expect("it is shown");
    assert_eq!(shown["estimated"], false, "nothing was guessed");
    assert_eq!(
        ground.workload("early"),
        Some(before),
        "what had ended is there"
    );
    let links = if hook() == "tcx" { 2 } else { 0 };
    assert_eq!(ground.links().len(), links, "each way has one link");
}

/// Its runtime was killed: the record stays until that cleans up, and the other version's maps do not.
#[test]
fn case_27_a_namespace_that_ends_without_del_keeps_no_other_versions_maps() {
    let ground = Ground::new();
    let mut agent = ground.start(&SOON);
    let pod = ground.pod("lost-0");
    ground.wait_counted("lost-0", "tcx");
    pod.send(10, 100);
    pod.assert_exact("before its end");
    let before = pod.counted();
    agent.stop(PATIENCE);
    make_foreign(&ground);
    drop(pod);
    let mut agent = ground.start(&SOON);
    until(PATIENCE, "all is taken over", || is_done(&ground));
    let shown = ground
        .shown("lost-0")
        .expect("it is shown as long as its record");
    assert_eq!(shown["ended"], false);
    assert_eq!(counts(&shown["totals"]), before, "nothing is lost");
    agent.stop(PATIENCE);
}

#[test]
fn case_29_killed_anywhere_while_it_takes_over_every_packet_is_counted_once() {
    let ground = Ground::new();
    at_every_place(
        &ground,
        &[],
        |name| {
            let pod = ground.pod(name);
            let mut agent = ground.start(&SOON);
            ground.wait_counted(name, hook());
            pod.send(10, 100);
            agent.stop(PATIENCE);
            make_foreign(&ground);
            pod
        },
        |pod| is_done(&ground) && is_attached(&ground, pod, hook()),
        |pod, place| {
            counts_on(&ground, pod, &[], hook(), place);
            let mut agent = ground.start(&SOON);
            until(PATIENCE, "the former maps are gone", || is_done(&ground));
            pod.assert_exact(&format!("and it is settled, killed at {place}"));
            pod.delete();
            ground.wait_folded(&pod.name);
            agent.stop(PATIENCE);
        },
    );
}
