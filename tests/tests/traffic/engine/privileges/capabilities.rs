//! Each capability of the unit missing alone: what it is there for, what is said, and that pods are
//! reached as before.
//!
//! For the kernel, `CAP_SYS_ADMIN` stands for `CAP_BPF` wherever that is asked for, and for
//! `CAP_NET_ADMIN` where a program is loaded or attached; tests of the pairs are in `trouble`.

use std::fs;

use e2e::process::Daemon;
use e2e::wait::{becomes_true, until};
use serde_json::{Value, json};

use super::confined::start;
use crate::containers::peer::Worker;
use crate::engine::ground::{Ground, PATIENCE, Pod};

/// The agent says each of `words`, and that it does less; the pod is reached as before.
#[track_caller]
fn does_less(ground: &Ground, agent: &mut Daemon, pod: &Pod<'_>, words: &[&str]) {
    until(PATIENCE, &format!("the agent says {words:?}"), || {
        assert!(agent.lives(), "{}", agent.log());
        let log = agent.log();
        words.iter().all(|word| log.contains(word))
    });
    until(PATIENCE, "its metrics say so", || {
        ground.degraded() > Some(0.0)
    });
    assert!(
        ground.lan.netns().ping(pod.address()),
        "the pod is reached as before"
    );
}

/// All is as it should be.
#[track_caller]
fn does_all(ground: &Ground, agent: &mut Daemon, pod: &Pod<'_>) {
    let counted = || {
        let shown = ground.shown(&pod.name);
        shown.is_some_and(|shown| shown["mode"] == json!(["tcx", "tcx"]))
    };
    assert!(becomes_true(PATIENCE, counted), "{}", agent.log());
    pod.send(20, 100);
    pod.assert_exact("all is there");
    until(PATIENCE, "nothing is amiss", || {
        ground.degraded() == Some(0.0)
    });
    let lag = ground.metric("berth_events_lag_seconds");
    assert_eq!(lag, Some(0.0), "nothing waits");
    let status = ground.agent(&["status"]).output().expect("ask for it");
    assert_eq!(status.status.code(), Some(0), "{status:?}");
    agent.stop(PATIENCE);
}

#[test]
fn case_24_without_cap_bpf_alone_nothing_is_missing_as_cap_sys_admin_stands_for_it() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    does_all(&ground, &mut start(&ground, &["CAP_BPF"], &[]), &pod);
}

#[test]
fn case_24_without_cap_net_admin_alone_filters_are_refused_and_devices_are_read() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let without = ["CAP_NET_ADMIN"];
    // A link of TCX takes no more than a program.
    does_all(&ground, &mut start(&ground, &without, &[]), &pod);
    let mut agent = start(&ground, &without, &["--hook", "clsact"]);
    does_less(&ground, &mut agent, &pod, &["CAP_NET_ADMIN"]);
    pod.send(20, 100);
    ground.wait_counted(&pod.name, "device");
    pod.assert_exact("by its device");
    agent.stop(PATIENCE);
    does_all(&ground, &mut start(&ground, &[], &[]), &pod);
}

#[test]
fn case_24_without_cap_sys_admin_alone_no_namespace_is_entered_and_the_next_agent_makes_up() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let mut agent = start(&ground, &["CAP_SYS_ADMIN"], &[]);
    does_less(&ground, &mut agent, &pod, &["CAP_SYS_ADMIN"]);
    let lag = || ground.metric("berth_events_lag_seconds");
    assert!(lag() > Some(0.0), "its record waits: {:?}", lag());
    let status = ground.agent(&["status"]).output().expect("ask for it");
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(2), "{said}");
    assert!(said.contains("counted interfaces: 0 of 1"), "{said}");
    pod.send(20, 100);
    agent.stop(PATIENCE);
    does_all(&ground, &mut start(&ground, &[], &[]), &pod);
}

/// That `CAP_BPF` and `CAP_PERFMON` have a use of their own: `CAP_SYS_ADMIN` stands for both.
#[test]
fn without_cap_sys_admin_ports_of_open_vswitch_are_counted_as_long_as_there_is_cap_perfmon() {
    let ground = Ground::switched();
    let pod = ground.pod("pod");
    let mut agent = start(&ground, &["CAP_SYS_ADMIN", "CAP_PERFMON"], &[]);
    let words = ["invalid read from stack", "CAP_PERFMON"];
    does_less(&ground, &mut agent, &pod, &words);
    agent.stop(PATIENCE);
    does_all(&ground, &mut start(&ground, &["CAP_SYS_ADMIN"], &[]), &pod);
    does_all(&ground, &mut start(&ground, &["CAP_PERFMON"], &[]), &pod);
}

/// As cri-dockerd and nerdctl name it, by a process that may do what the agent may not.
#[test]
fn without_cap_sys_ptrace_no_namespace_is_entered_that_a_process_names() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let worker = Worker::start(&pod.netns, None);
    let records = fs::read_dir(ground.node.file("run/attachments")).expect("records");
    let record = records.map(|entry| entry.expect("a record").path()).next();
    let record = record.expect("a record");
    let text = fs::read_to_string(&record).expect("read a record");
    let mut changed: Value = serde_json::from_str(&text).expect("a record is JSON");
    changed["netns"]["path"] = format!("/proc/{}/ns/net", worker.pid()).into();
    fs::write(&record, changed.to_string()).expect("write a record");

    let mut agent = start(&ground, &["CAP_SYS_PTRACE"], &[]);
    let words = ["cannot be entered", "CAP_SYS_PTRACE"];
    does_less(&ground, &mut agent, &pod, &words);
    agent.stop(PATIENCE);
    does_all(&ground, &mut start(&ground, &[], &[]), &pod);
}

/// What a thread of the agent may do: its name, and the capabilities that it has.
fn threads(agent: &Daemon) -> Vec<(String, u64)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", agent.pid())).expect("its threads");
    let statuses = tasks.flatten().map(|task| task.path().join("status"));
    // One may have ended meanwhile.
    let statuses = statuses.filter_map(|path| fs::read_to_string(path).ok());
    let field = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.expect("a field").trim().to_owned()
    };
    let thread = |status: String| {
        let [effective, permitted] = ["CapEff:", "CapPrm:"].map(|name| field(&status, name));
        assert_eq!(effective, permitted, "{status}");
        let bits = u64::from_str_radix(&effective, 16).expect("a set of capabilities");
        (field(&status, "Name:"), bits)
    };
    statuses.map(thread).collect()
}

#[test]
fn without_cap_sys_admin_programs_are_not_measured_and_it_is_said() {
    let ground = Ground::switched();
    let pod = ground.pod("pod");
    let sample = ["--sample-programs", "10"];
    let mut agent = start(&ground, &["CAP_SYS_ADMIN"], &sample);
    let words = ["not measured", "CAP_SYS_ADMIN"];
    does_less(&ground, &mut agent, &pod, &words);
    ground.wait_counted(&pod.name, "tcx");
}

#[test]
fn threads_that_attach_nothing_have_no_capabilities() {
    const NET_ADMIN: u64 = 1 << 12;
    const PTRACE: u64 = 1 << 19;
    const ADMIN: u64 = 1 << 21;
    const PERFMON: u64 = 1 << 38;
    const BPF: u64 = 1 << 39;
    let ground = Ground::new();
    let socket = ground.scratch.join("cri.sock").display().to_string();
    // Containers are told apart nowhere: the threads are there all the same.
    let told = [
        "--cgroup",
        "/berth-nowhere",
        "--cri",
        &socket,
        "--sample-programs",
        "10",
    ];
    let agent = start(&ground, &[], &told);
    let expected: Vec<(String, u64)> = [
        ("collect", BPF),
        ("containers", BPF | PERFMON | NET_ADMIN),
        ("cri", 0),
        ("http", 0),
        ("http-worker", 0),
        ("http-worker", 0),
        ("sampler", ADMIN),
        ("signals", 0),
        ("traffic-agent", BPF | PERFMON | NET_ADMIN | PTRACE | ADMIN),
    ]
    .map(|(name, bits)| (name.to_owned(), bits))
    .to_vec();
    let mut seen = Vec::new();
    let settled = becomes_true(PATIENCE, || {
        seen = threads(&agent);
        seen.sort();
        seen == expected
    });
    assert!(settled, "{seen:x?}\n{}", agent.log());
}
