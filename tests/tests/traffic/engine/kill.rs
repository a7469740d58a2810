//! Killed between every two operations on the kernel's maps, links and filters: whoever comes next
//! counts on, and every packet is counted once.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::time::Duration;

use e2e::plugin::target_dir;
use e2e::process::Daemon;
use e2e::wait::{becomes_true, until};

use super::ground::{Ground, PATIENCE, Pod};
use super::hook::hook;

/// How the program under test is built.
const BUILD: &str =
    "cargo build -p traffic-agent --features fault-injection --bin traffic-agent-faults";
/// `SIGKILL`.
pub(crate) const KILLED: i32 = 9;
/// So that an ended interface is folded soon.
pub(crate) const SOON: [&str; 2] = ["--show-ended", "1"];

/// The program that is killed.
pub(crate) fn faults() -> PathBuf {
    let program = target_dir().join("traffic-agent-faults");
    assert!(
        program.is_file(),
        "{} is missing: run `{BUILD}`",
        program.display()
    );
    program
}

/// Starts an agent that is killed at `place`, or that tells the places it passes.
fn start(ground: &Ground, arguments: &[&str], variable: &str, value: &str) -> Daemon {
    let arguments = [&SOON[..], arguments].concat();
    let mut command = ground.agent_at(&faults(), &arguments);
    command.env(variable, value);
    Daemon::start(&mut command, &ground.scratch.join("killed.log"))
}

/// Has `act` done once by an agent that tells the places it passes, and then once for every place by
/// one that is killed there, while `meanwhile` goes on. `prepare` makes the pod for it.
pub(super) fn at_every_place<'a>(
    ground: &'a Ground,
    arguments: &[&str],
    prepare: impl Fn(&str) -> Pod<'a>,
    done: impl Fn(&Pod<'_>) -> bool,
    settle: impl Fn(&Pod<'_>, &str),
) {
    let trace = ground.scratch.join("trace");
    let traced = prepare("traced");
    let mut agent = start(
        ground,
        arguments,
        "BERTH_FAULT_TRACE",
        &trace.display().to_string(),
    );
    until(PATIENCE, "the traced agent does it", || done(&traced));
    agent.stop(PATIENCE);
    settle(&traced, "no kill");
    let places = fs::read_to_string(&trace).expect("places were passed");
    // One of many of a kind that follow each other is enough.
    let alike = |place: &&str| {
        let (kind, number) = place.split_once('#').unwrap_or((place, ""));
        !["map-pinned", "remove-former", "clear"].contains(&kind) || ["1", "6"].contains(&number)
    };
    let places: Vec<&str> = places.lines().filter(alike).collect();
    assert!(places.len() > 2, "places: {places:?}");
    for (n, place) in places.iter().enumerate() {
        let pod = prepare(&format!("killed{n}"));
        let mut agent = start(ground, arguments, "BERTH_KILL_AT", place);
        // Whatever comes before it may not be needed the second time.
        let ended = becomes_true(PATIENCE, || agent.ended().is_some() || done(&pod));
        let how = agent.ended();
        assert!(
            ended,
            "at {place}: neither killed nor done\n{}",
            agent.log()
        );
        if let Some(how) = how {
            assert_eq!(how.signal(), Some(KILLED), "at {place}: {}", agent.log());
        }
        agent.kill();
        settle(&pod, place);
    }
}

/// Another agent counts on: what went on while none ran, and what goes on now.
pub(super) fn counts_on(
    ground: &Ground,
    pod: &Pod<'_>,
    arguments: &[&str],
    mode: &str,
    place: &str,
) {
    pod.send(20, 200);
    let arguments = [&SOON[..], arguments].concat();
    let mut agent = ground.start(&arguments);
    ground.wait_counted(&pod.name, mode);
    pod.assert_exact(&format!("the gap is made up for, killed at {place}"));
    pod.send(20, 100);
    pod.assert_exact(&format!("and it is counted on, killed at {place}"));
    assert!(agent.lives(), "{}", agent.log());
    agent.stop(PATIENCE);
}

pub(super) fn is_attached(ground: &Ground, pod: &Pod<'_>, mode: &str) -> bool {
    let shown = ground.shown(&pod.name);
    shown.is_some_and(|shown| {
        shown["mode"] == serde_json::json!([mode, mode]) && shown["ended"] == false
    }) && pod.counted() == pod.device()
}

#[test]
fn case_29_killed_anywhere_while_it_attaches_the_next_agent_counts_every_packet_once() {
    let ground = Ground::new();
    at_every_place(
        &ground,
        &[],
        |name| {
            let pod = ground.pod(name);
            pod.send(10, 100);
            pod
        },
        |pod| is_attached(&ground, pod, hook()),
        |pod, place| {
            counts_on(&ground, pod, &[], hook(), place);
            pod.delete();
        },
    );
}

#[test]
fn case_29_killed_anywhere_while_programs_are_replaced_no_packet_is_lost() {
    let ground = Ground::new();
    let counted = |name: &str| {
        let pod = ground.pod(name);
        let mut agent = ground.start(&SOON);
        ground.wait_counted(name, hook());
        pod.assert_exact("before the replacement");
        agent.stop(PATIENCE);
        pod
    };
    at_every_place(
        &ground,
        &["--level", "detail"],
        |name| {
            let pod = counted(name);
            pod.send(10, 100);
            pod
        },
        |pod| {
            // The agent says nothing of it; two sweeps are enough.
            pod.send(5, 100);
            becomes_true(Duration::from_secs(2), || false) || pod.counted() == pod.device()
        },
        |pod, place| {
            counts_on(&ground, pod, &["--level", "detail"], hook(), place);
            pod.delete();
        },
    );
}

#[test]
fn case_29_killed_anywhere_while_it_falls_back_every_packet_is_counted_once() {
    for mode in ["clsact", "device"] {
        let ground = Ground::new();
        at_every_place(
            &ground,
            &["--hook", mode],
            |name| {
                let pod = ground.pod(name);
                let mut agent = ground.start(&SOON);
                ground.wait_counted(name, hook());
                agent.stop(PATIENCE);
                pod.send(10, 100);
                pod
            },
            |pod| is_attached(&ground, pod, mode),
            |pod, place| {
                counts_on(&ground, pod, &["--hook", mode], mode, place);
                counts_on(&ground, pod, &[], hook(), place);
                pod.delete();
            },
        );
    }
}

#[test]
fn case_29_killed_anywhere_while_it_folds_the_workload_has_every_packet_once() {
    let ground = Ground::new();
    let last = std::cell::Cell::new(super::ground::Counts::default());
    at_every_place(
        &ground,
        &[],
        |name| {
            let pod = ground.pod(name);
            let mut agent = ground.start(&SOON);
            ground.wait_counted(name, hook());
            pod.send(25, 100);
            pod.assert_exact("before its end");
            agent.stop(PATIENCE);
            last.set(pod.counted());
            pod.delete();
            pod
        },
        |pod| ground.shown(&pod.name).is_none(),
        |pod, place| {
            let mut agent = ground.start(&SOON);
            ground.wait_folded(&pod.name);
            assert_eq!(
                ground.workload(&pod.name),
                Some(last.get()),
                "killed at {place}"
            );
            agent.stop(PATIENCE);
            assert_eq!(ground.links(), [""; 0], "links, killed at {place}");
        },
    );
}
