//! What is as it is on Debian's kernel alone, or on one that was set up for a test. Run in the
//! machine.

use std::fs;

use e2e::debian;
use e2e::process;

use crate::engine::ground::Ground;
use crate::engine::hook::hook;

/// Counts a pod by `mode`, and says what the agent has said.
fn counts(mode: &str) -> String {
    let ground = Ground::new();
    let mut agent = ground.start(&[]);
    let pod = ground.pod("pod");
    ground.wait_counted("pod", mode);
    pod.send(50, 300);
    pod.assert_exact("it is counted");
    assert!(
        ground.lan.netns().ping(pod.address()),
        "the gateway reaches it"
    );
    assert!(agent.lives());
    agent.log()
}

#[test]
#[ignore = "needs Linux without TCX: run ./test.sh vm"]
fn hooks_are_filters_of_clsact_where_there_is_no_tcx() {
    assert_eq!(hook(), "clsact");
    let ground = Ground::new();
    let _agent = ground.start(&[]);
    let pod = ground.pod("pod");
    ground.wait_counted("pod", "clsact");
    assert_eq!(ground.links(), [""; 0], "there is nothing to pin");
    for way in ["ingress", "egress"] {
        let mut tc = pod.netns.command(debian::require("tc", "iproute2"));
        let shown = process::output(tc.args(["filter", "show", "dev", "eth0", way]));
        assert!(shown.contains("pref 1 bpf"), "{way}: {shown}");
        assert!(shown.contains("handle 0xbe27"), "{way}: {shown}");
    }
}

#[test]
#[ignore = "needs a kernel that interprets programs: run ./test.sh vm"]
fn interpreted_programs_count() {
    for (file, value) in [
        ("net/core/bpf_jit_enable", "0"),
        ("kernel/unprivileged_bpf_disabled", "2"),
    ] {
        let set = fs::read_to_string(format!("/proc/sys/{file}")).expect("the setting");
        assert_eq!(set.trim(), value, "{file}");
    }
    counts(hook());
}

#[test]
#[ignore = "needs a kernel that is locked down: run ./test.sh vm"]
fn locked_down_kernels_have_the_agent_count() {
    let state = fs::read_to_string("/sys/kernel/security/lockdown").expect("the state");
    assert!(state.contains("[confidentiality]"), "{state}");
    let said = counts(hook());
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
}
