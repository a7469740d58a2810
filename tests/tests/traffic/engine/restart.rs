//! Agents that come and go under traffic.

use super::ground::{Ground, PATIENCE};
use super::hook::hook;

/// How often, by whether the long tests were asked for.
fn rounds() -> usize {
    match std::env::var_os("BERTH_LONG") {
        Some(_) => 100,
        None => 20,
    }
}

#[test]
fn case_44_agents_are_killed_and_started_under_traffic_and_no_packet_is_lost_or_counted_twice() {
    let ground = Ground::new();
    let mut agent = ground.start(&[]);
    let pod = ground.pod("loaded");
    ground.wait_counted("loaded", hook());
    pod.assert_exact("before");
    pod.under_load(|| {
        for round in 0..rounds() {
            agent.kill();
            // Every other one has other programs to put in the place of those that are there.
            let level = if round % 2 == 0 { "detail" } else { "default" };
            agent = ground.start(&["--level", level]);
            ground.wait_counted("loaded", hook());
        }
    });
    pod.assert_exact("after all restarts");
    assert!(pod.counted().transmit.1 > 1000, "there was traffic");
    agent.stop(PATIENCE);
}
