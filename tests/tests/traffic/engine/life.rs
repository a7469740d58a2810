//! From an interface's beginning to its end.

use std::time::Duration;

use super::ground::Ground;
use super::hook::hook;

fn from_beginning_to_end(ground: &Ground) {
    let mut agent = ground.start(&["--show-ended", "2"]);
    let pod = ground.pod("web-7d4b9c6f5d-x2x7z");
    ground.wait_counted(&pod.name, hook());
    pod.send(200, 100);
    assert!(
        ground.lan.netns().ping(pod.address()),
        "the gateway reaches it"
    );
    pod.assert_exact("while the agent runs");

    agent.stop(Duration::from_secs(20));
    pod.send(100, 300);
    pod.assert_exact("without an agent");

    let mut agent = ground.start(&["--show-ended", "2"]);
    pod.send(100, 50);
    pod.assert_exact("after a restart");
    let last = pod.counted();

    pod.delete();
    ground.wait_folded(&pod.name);
    assert_eq!(
        ground.workload("web"),
        Some(last),
        "its workload has it all"
    );
    assert_eq!(ground.links(), [""; 0], "no link is left");
    assert!(agent.lives());
}

#[test]
fn case_44_a_macvlan_is_counted_through_a_restart_and_folded_at_its_end() {
    from_beginning_to_end(&Ground::new());
}

#[test]
fn case_44_a_port_of_open_vswitch_is_counted_through_a_restart_and_folded_at_its_end() {
    from_beginning_to_end(&Ground::switched());
}
