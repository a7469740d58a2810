//! Cases of their own.

use crate::containers::apply::{Hook, LinkName};
use crate::containers::decide::{Split, Tcp};
use crate::containers::identity::short_id;

use super::world::World;

fn two() -> World {
    let mut world = World::new();
    world.start("web", "app");
    world.start("web", "sidecar");
    world
}

fn count(world: &World, name: &str, packets: u64) {
    for _ in 0..packets {
        world.packet("web", name);
    }
}

fn of(world: &World, name: &str) -> Option<u64> {
    let uid = world.pods["web"].uid.clone();
    world.shown().get(&(uid, name.to_owned())).copied()
}

fn links(world: &World) -> usize {
    world.memory.0.borrow().links.len()
}

#[test]
fn a_pod_with_one_container_pays_nothing() {
    let mut world = World::new();
    world.start("web", "app");
    world.pass(1);
    assert_eq!(links(&world), 0);
    world.split = Split::All;
    world.pass(1);
    assert_eq!(links(&world), 2);
}

#[test]
fn case_37_a_container_that_starts_again_goes_on_counting_under_its_name() {
    let mut world = two();
    world.pass(1);
    count(&world, "app", 5);
    world.start("web", "app");
    world.pass(1);
    count(&world, "app", 3);
    assert_eq!(of(&world, "app"), Some(8));
    // With the runtime down its name is found out late, and what it had is added.
    world.up = false;
    world.start("web", "app");
    world.pass(1);
    count(&world, "app", 2);
    world.up = true;
    world.pass(1);
    assert_eq!(of(&world, "app"), Some(10));
}

#[test]
fn case_38_an_init_container_is_none_of_two_and_a_sidecar_or_debug_container_is() {
    let mut world = World::new();
    world.start("web", "init");
    world.pass(1);
    world.stop("web", "init");
    world.start("web", "app");
    world.pass(1);
    assert_eq!(links(&world), 0, "one after the other");
    world.start("web", "debug");
    world.pass(1);
    assert_eq!(links(&world), 2);
    world.stop("web", "debug");
    world.pass(1);
    assert_eq!(links(&world), 2, "what is told apart stays so");
}

#[test]
fn case_34_a_pod_in_the_nodes_network_is_told_apart_by_the_runtimes_word() {
    let mut world = two();
    world.pods.get_mut("web").unwrap().attached = false;
    world.pass(1);
    count(&world, "app", 4);
    assert_eq!(of(&world, "app"), Some(4));
    let shown = world.agent.containers();
    assert!(
        shown.iter().all(|one| one.pod.namespace == "shop"),
        "{shown:?}"
    );
    // Its TCP is the node's, and nobody's slot.
    world.tcp = Tcp::On;
    world.pass(1);
    assert_eq!(links(&world), 2);
}

#[test]
fn case_42_without_the_runtime_containers_go_by_their_ids_until_it_answers() {
    let mut world = two();
    world.up = false;
    world.pass(1);
    count(&world, "app", 4);
    let short = short_id(&world.pods["web"].containers["app"].id).to_owned();
    assert_eq!(of(&world, &short), Some(4));
    world.up = true;
    world.pass(1);
    assert_eq!((of(&world, "app"), of(&world, &short)), (Some(4), None));
    // An agent that begins while it is down knows what the one before was told.
    world.up = false;
    world.restart();
    world.pass(1);
    assert_eq!(of(&world, "app"), Some(4));
}

#[test]
fn case_49_with_the_map_full_packets_are_nobodys_and_nothing_else_happens() {
    let mut world = two();
    world.memory.0.borrow_mut().room = Some(1);
    world.pass(1);
    assert_eq!(links(&world), 2);
    count(&world, "sidecar", 3);
    assert_eq!(
        world.packet("web", "sidecar"),
        Some(1),
        "of an unknown cgroup"
    );
    assert!(world.agent.failures().maps["cgroups"] > 0);
    world.memory.0.borrow_mut().room = None;
    world.pass(1);
    assert!(world.packet("web", "sidecar") >= Some(3));
}

#[test]
fn case_26_a_cgroup_that_tolerates_no_other_program_is_reported_and_tried_again() {
    let mut world = two();
    world.memory.0.borrow_mut().refuses = Some(nix::libc::EPERM);
    world.pass(1);
    world.pass(1);
    assert_eq!(
        world.agent.failures().attach["excluded"],
        2,
        "each hook once"
    );
    assert_eq!(world.agent.failures().excluded.len(), 1);
    world.memory.0.borrow_mut().refuses = None;
    world.pass(31);
    assert_eq!(links(&world), 2);
    assert!(world.agent.failures().excluded.is_empty());
}

#[test]
fn off_takes_the_programs_away_and_on_brings_them_back() {
    let mut world = two();
    world.pass(1);
    world.split = Split::Off;
    world.pass(1);
    let left = |world: &World| world.memory.0.borrow().mapped.len();
    assert_eq!((links(&world), left(&world)), (0, 0));
    world.split = Split::Auto;
    world.pass(1);
    assert_eq!(links(&world), 2);
}

#[test]
fn what_has_ended_is_shown_for_as_long_as_is_asked_for() {
    let mut world = two();
    world.hold = std::time::Duration::from_secs(1);
    world.pass(1);
    count(&world, "app", 4);
    world.end("web");
    world.pass(1);
    assert_eq!(world.agent.containers().len(), 1, "what has counted");
    world.pass(1);
    world.pass(1);
    assert_eq!((links(&world), world.agent.used()), (0, (0, 0)));
}

#[test]
fn an_agent_that_begins_replaces_every_program_once() {
    let mut world = two();
    world.tcp = Tcp::On;
    world.pass(1);
    let pod = world.pods["web"].cgroup;
    let told = |hook| world.memory.0.borrow().told[&LinkName { pod, hook }];
    assert_eq!(
        Hook::ALL.map(told),
        [4, 4, 7],
        "the containers' level, and the slot"
    );
    world.restart();
    world.memory.0.borrow_mut().told.clear();
    world.pass(1);
    assert_eq!(world.memory.0.borrow().told.len(), 3);
    world.memory.0.borrow_mut().told.clear();
    world.pass(1);
    assert!(world.memory.0.borrow().told.is_empty());
}

#[test]
fn a_thousand_pods_are_decided_on_at_once() {
    let mut world = World::new();
    for pod in 0..1000 {
        for name in ["app", "sidecar"] {
            world.start(&format!("web-{pod}"), name);
        }
    }
    world.pass(1);
    world.pass(1);
    assert_eq!(
        (links(&world), world.agent.containers().len()),
        (2000, 2000)
    );
}
