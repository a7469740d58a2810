//! Killed between every two operations on the maps and links that tell containers apart: whoever
//! comes next counts on, and every packet is counted once.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use e2e::wait::{becomes_true, until};

use super::scene::{FIRST, Pod, Scene};
use crate::engine::ground::PATIENCE;
use crate::engine::kill::KILLED;

/// What the places of this part begin with.
const PART: &str = "container-";

/// A part of a pod's life.
struct Stage<'s, 'a> {
    /// What places are passed in it, without what they begin with.
    kinds: &'s [&'s str],
    /// Makes a pod for it.
    prepare: &'s dyn Fn(usize) -> Pod<'a>,
    /// Whether it is over.
    done: &'s dyn Fn(&Pod<'_>) -> bool,
    /// Looks at what the next agent makes of it, after a kill at a place.
    settle: &'s dyn Fn(Pod<'a>, Option<&Pod<'a>>, &str),
}

#[test]
fn case_29_killed_anywhere_while_a_pod_is_split_the_next_agent_counts_every_packet_once() {
    let scene = Scene::new();
    let stage = Stage {
        kinds: &["zero", "owner", "map", "detach", "attach", "pin"],
        prepare: &|number| scene.pod(number),
        done: &|pod| pod.has(&FIRST),
        settle: &|mut pod, _, place| {
            pod.counts_on(&FIRST, place);
            pod.end();
            scene.assert_left(0, place);
        },
    };
    scene.at_every_place(&stage, None);
}

#[test]
fn case_29_killed_anywhere_while_containers_come_and_go_no_packet_is_lost() {
    let scene = Scene::new();
    let silent_one_ended_and_another_began = |number| {
        let mut pod = scene.pod(number);
        pod.add('c');
        pod.counts_on(&['a', 'b', 'c'], "nowhere");
        pod.drop_others();
        pod.add('d');
        pod
    };
    let stage = Stage {
        kinds: &["zero", "owner", "map", "swap", "unmap"],
        prepare: &silent_one_ended_and_another_began,
        // The sandbox has a cgroup too, and counts for the pod.
        done: &|pod| pod.has(&['a', 'b', 'c', 'd']) && scene.used("cgroups") == 4,
        settle: &|mut pod, _, place| {
            pod.counts_on(&['a', 'b', 'c', 'd'], place);
            pod.end();
            scene.assert_left(0, place);
        },
    };
    scene.at_every_place(&stage, None);
}

#[test]
fn case_29_killed_anywhere_while_a_pod_ends_nothing_is_left_of_it_and_its_neighbour_counts_on() {
    let scene = Scene::new();
    let mut stays = scene.pod(0);
    stays.counts_on(&FIRST, "nowhere");
    let ended = |number| {
        let mut pod = scene.pod(number);
        let mut agent = scene.start(None);
        until(PATIENCE, "they are told apart", || pod.has(&FIRST));
        agent.stop(PATIENCE);
        pod.end();
        pod
    };
    let stage = Stage {
        kinds: &["detach", "owner", "unmap", "swap"],
        prepare: &ended,
        done: &|_| scene.left() == [2, 2, 3],
        settle: &|_, stays, place| {
            let stays = stays.expect("the neighbour");
            let mut agent = scene.start(None);
            until(PATIENCE, "it counts on", || stays.has(&FIRST));
            stays.assert_exact(&format!("the neighbour, killed at {place}"));
            agent.stop(PATIENCE);
            scene.assert_left(1, place);
        },
    };
    scene.at_every_place(&stage, Some(stays));
}

impl Scene {
    /// Has a stage be done by an agent that tells the places it passes, and then for every place by
    /// one that is killed there, each time with a pod of its own, while `stays` or else that pod sends
    /// and receives.
    fn at_every_place<'a>(&'a self, stage: &Stage<'_, 'a>, mut stays: Option<Pod<'a>>) {
        let Stage {
            kinds,
            prepare,
            done,
            settle,
        } = stage;
        let trace = self.ground.scratch.join("trace").display().to_string();
        let traced = prepare(1);
        again(&mut stays);
        let mut agent = self.start(Some(("BERTH_FAULT_TRACE", &trace)));
        until(PATIENCE, "the traced agent does it", || done(&traced));
        agent.stop(PATIENCE);
        settle(traced, stays.as_ref(), "no kill");
        let places = fs::read_to_string(&trace).expect("places were passed");
        let places: Vec<&str> = places.lines().filter(|place| tells(place)).collect();
        let found: BTreeSet<&str> = places.iter().map(|place| split(place).0).collect();
        let kinds: BTreeSet<String> = kinds.iter().map(|kind| format!("{PART}{kind}")).collect();
        assert!(found.iter().eq(&kinds), "{places:?}");
        for (number, place) in (2..).zip(&places) {
            let mut pod = prepare(number);
            again(&mut stays);
            let mut agent = self.start(Some(("BERTH_KILL_AT", place)));
            let mut killed = || {
                let how = agent.ended()?;
                assert_eq!(how.signal(), Some(KILLED), "at {place}: {}", agent.log());
                Some(how)
            };
            let loaded = stays.as_mut().unwrap_or(&mut pod);
            let over = loaded.under_load(|| becomes_true(PATIENCE, || killed().is_some()));
            assert!(over, "{place} is not passed\n{}", agent.log());
            settle(pod, stays.as_ref(), place);
        }
    }
}

/// Whether a place is to be killed at; of many of a kind that follow each other, some are enough.
fn tells(place: &str) -> bool {
    let (kind, number) = split(place);
    let many = kind == "container-zero";
    kind.starts_with(PART) && (!many || ["1", "3", "8"].contains(&number))
}

fn split(place: &str) -> (&str, &str) {
    place.split_once('#').unwrap_or((place, ""))
}

/// What pods announce when they come goes to everybody: what is counted is compared from here on.
fn again(stays: &mut Option<Pod<'_>>) {
    if let Some(stays) = stays {
        stays.mark = Some(stays.mark());
    }
}
