//! ADD of a sticky pod's new sandbox, killed while it takes the address over; and an ADD that gets
//! an address of each family.

use e2e::plugin::{Call, Plugin, Reply};

use super::{Subject, assert_passed, at_every_place, call};
use crate::container::Container;
use crate::families::{self, BOTH};
use crate::ground::{Ground, Kind, NARROW};

/// The new sandbox of a pod whose old one runs.
fn moving<'a>(ground: &'a Ground, id: &str) -> Subject<'a> {
    let sandbox = |id: &str| {
        let container = ground.container(id).of_pod("web-0", "u1");
        container.annotated("berth.dev/sticky", "true")
    };
    let old = sandbox(&format!("{id}-old"));
    old.add().success();
    Subject {
        container: sandbox(id),
        earlier: Some(old.netns),
    }
}

fn add(plugin: &Plugin, container: &Container<'_>) -> Reply {
    call(plugin, container, "ADD")
}

/// DEL of the old sandbox.
fn del_old(ground: &Ground, subject: &Subject<'_>) {
    let id = format!("{}-old", subject.container.id);
    let netns = subject.earlier.as_ref().map(e2e::netns::Netns::path);
    let config = &subject.container.config;
    let call = Call::new("DEL", &id, netns, config);
    ground.plugin.call(ground.node(), &call).success();
}

const PLACES: &[&str] = &[
    "takeover.begun",
    "takeover.unlinked",
    "takeover.forgotten",
    "add.recorded",
];

fn killed_then_both_deleted(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let prepare = |id: &str| moving(&ground, id);
    let settle = |subject: &Subject<'_>, place: &str| {
        del_old(&ground, subject);
        subject.assert_del_cleans(&ground, place);
    };
    assert_passed(&at_every_place(&ground, prepare, add, settle), PLACES);

    // The other way round.
    let settle = |subject: &Subject<'_>, place: &str| {
        subject.container.del().success();
        del_old(&ground, subject);
        subject.assert_gone(&ground, place);
    };
    at_every_place(&ground, prepare, add, settle);
}

#[test]
fn a_takeover_killed_anywhere_is_undone_by_the_dels_of_both_sandboxes_embedded() {
    killed_then_both_deleted(Kind::Embedded);
}

#[test]
fn a_takeover_killed_anywhere_is_undone_by_the_dels_of_both_sandboxes_etcd() {
    killed_then_both_deleted(Kind::Etcd);
}

/// What kubelet does: it deletes the sandbox that failed, and makes the next one.
fn killed_then_next(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let prepare = |id: &str| moving(&ground, id);
    let settle = |subject: &Subject<'_>, place: &str| {
        let address = subject.container.add().address();
        assert_eq!(ground.held(), [address], "held after {place}");
        let old = subject.earlier.as_ref().expect("an old sandbox");
        assert_eq!(old.links(), [""; 0], "links of the old after {place}");
        subject.container.assert_connected(address);
        del_old(&ground, subject);
        subject.container.assert_connected(address);
        subject.assert_del_cleans(&ground, place);
    };
    assert_passed(&at_every_place(&ground, prepare, add, settle), PLACES);
}

#[test]
fn a_takeover_killed_anywhere_is_finished_by_the_next_try_embedded() {
    killed_then_next(Kind::Embedded);
}

#[test]
fn a_takeover_killed_anywhere_is_finished_by_the_next_try_etcd() {
    killed_then_next(Kind::Etcd);
}

#[test]
fn an_add_of_both_families_killed_anywhere_frees_both() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = families::ground(kind, BOTH);
        let prepare = |id: &str| ground.container(id).into();
        let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
        let places = at_every_place(&ground, prepare, add, settle);
        assert_passed(&places, &["add.claimed", "add.addressed", "add.recorded"]);
        let prepare = |id: &str| {
            let container = ground.container(id);
            container.add().success();
            container.into()
        };
        let del = |plugin: &Plugin, container: &Container<'_>| call(plugin, container, "DEL");
        at_every_place(&ground, prepare, del, settle);
        for n in 0..13 {
            // As many as the smaller family has: none of them was lost.
            ground.container(&format!("whole-{n}")).add().success();
        }
        assert_eq!(ground.held().len(), 26, "13 of each family");
    }
}
