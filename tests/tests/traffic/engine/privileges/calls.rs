//! The unit's list of system calls: enough, and no longer than it has to be.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;

use e2e::debian;
use e2e::process::Daemon;
use e2e::unit::Unit;
use e2e::wait::until;

use super::confined::{command, path, start};
use super::journey::everything;
use crate::engine::ground::{Ground, PATIENCE};

/// What the journey may not be seen to call, and why it is granted all the same.
const UNSEEN: [(&str, &str); 15] = [
    (
        "clock_gettime",
        "machines whose clock no program can read by itself",
    ),
    ("epoll_pwait", ARM),
    ("faccessat", ARM),
    ("fstat", "the C library from 2.39 on"),
    ("getpid", ABORT),
    ("mkdirat", ARM),
    ("ppoll", ARM),
    (
        "readlink",
        "programs without a loader, as they are released",
    ),
    ("readlinkat", ARM),
    ("renameat", ARM),
    (
        "restart_syscall",
        "who was stopped and goes on while it waited",
    ),
    ("rt_sigreturn", ABORT),
    ("sched_yield", "two threads at one channel or lock"),
    ("tgkill", ABORT),
    ("unlinkat", ARM),
];
/// Has no older call that does the same.
const ARM: &str = "processors of ARM";
/// Ends with the right signal, after words on stderr.
const ABORT: &str = "a stack or a memory that is full";

#[test]
fn with_what_the_unit_grants_everything_works_and_nothing_is_refused() {
    let ground = Ground::new();
    everything(&ground, &|arguments| start(&ground, &[], arguments));
}

/// That the filter is there at all.
#[test]
fn case_23_without_the_call_bpf_devices_are_read_and_the_refusal_is_said() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let mut agent = start(&ground, &["bpf"], &[]);
    until(PATIENCE, "it says so", || {
        assert!(agent.lives(), "{}", agent.log());
        agent.log().contains("nothing is counted in the kernel")
    });
    assert!(agent.log().contains("not permitted"), "{}", agent.log());
    assert!(ground.lan.netns().ping(pod.address()));
}

#[test]
fn the_unit_grants_no_call_that_nothing_needs() {
    let ground = Ground::new();
    let strace = debian::require("strace", "strace");
    let trace = ground.scratch.join("trace");
    // In the background, so that signals reach the agent; appending.
    let by: Vec<&OsStr> = [strace.as_os_str()]
        .into_iter()
        .chain(["-D", "-f", "-qq", "-A", "-e", "signal=none", "-o"].map(OsStr::new))
        .chain([trace.as_os_str()])
        .collect();
    everything(&ground, &|arguments| {
        let mut traced = command(&ground, &by, &[], arguments);
        Daemon::start(&mut traced, &ground.scratch.join("agent.log"))
    });
    let trace = fs::read_to_string(&trace).expect("a trace");
    let (seen, refused) = calls_of(&trace);
    let granted = Unit::read(&path()).calls;
    let missing: Vec<_> = seen.difference(&granted).collect();
    assert!(missing.is_empty(), "called, and not granted: {missing:?}");
    assert!(refused.is_empty(), "refused: {refused:?}");
    let reasons: BTreeMap<&str, &str> = UNSEEN.into_iter().collect();
    let idle: Vec<_> = { granted.iter() }
        .filter(|call| !seen.contains(*call) && !reasons.contains_key(call.as_str()))
        .collect();
    assert!(idle.is_empty(), "granted in vain: {idle:?}");
    let forgotten: Vec<_> = reasons
        .keys()
        .filter(|call| !granted.contains(**call))
        .collect();
    assert!(forgotten.is_empty(), "not granted: {forgotten:?}");
}

/// What the agent called, from its start on, and what of it was refused.
fn calls_of(trace: &str) -> (BTreeSet<String>, Vec<&str>) {
    let (mut seen, mut refused) = (BTreeSet::new(), Vec::new());
    // The helper that gives up what is not granted, before it becomes the agent.
    let mut helpers = BTreeSet::new();
    for line in trace.lines() {
        // `PID call(arguments) = result`.
        let Some((pid, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((call, arguments)) = rest.trim_start().split_once('(') else {
            continue;
        };
        let program = arguments.split('"').nth(1).unwrap_or_default();
        match call {
            "execve" if program.ends_with("as-unit") => drop(helpers.insert(pid)),
            "execve" if program.ends_with("traffic-agent") => drop(helpers.remove(pid)),
            _ => {}
        }
        if !helpers.contains(pid) {
            let is_name = call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            seen.extend(is_name.then(|| call.to_owned()));
            refused.extend(line.contains("= -1 EPERM").then_some(line));
        }
    }
    (seen, refused)
}
