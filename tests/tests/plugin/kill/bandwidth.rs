//! ADD and DEL of a container with limits, killed.

use serde_json::json;

use super::{Subject, assert_passed, at_every_place, call_add, call_del};
use crate::container::Container;
use crate::ground::{Ground, Kind, NARROW};

/// The places that only limits pass.
const PLACES: &[&str] = &[
    "add.routed",
    "add.limited.egress",
    "add.limited.device",
    "add.limited.led",
    "add.limited",
    "add.recorded",
];

fn limited<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    let limits = json!({"bandwidth": {"ingressRate": 10_000_000, "egressRate": 20_000_000}});
    ground.container(id).with("/runtimeConfig", limits)
}

#[test]
fn a_limited_add_killed_anywhere_is_undone_by_del() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let places = at_every_place(
        &ground,
        |id| limited(&ground, id).into(),
        call_add,
        |subject, place| subject.assert_del_cleans(&ground, place),
    );
    assert_passed(&places, PLACES);
    ground.assert_no_leak(13);
}

/// The second ADD has one interface and one device, whatever the first left.
#[test]
fn a_limited_add_killed_anywhere_is_finished_by_the_next() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let settle = |subject: &Subject<'_>, place: &str| {
        let reply = subject.container.add();
        subject.container.check(&reply.json).success();
        let links = subject.container.netns.links();
        assert_eq!(links.len(), 2, "links after {place}: {links:?}");
        subject.container.assert_connected(reply.address());
        subject.assert_del_cleans(&ground, place);
    };
    let places = at_every_place(&ground, |id| limited(&ground, id).into(), call_add, settle);
    assert_passed(&places, PLACES);
    ground.assert_no_leak(13);
}

#[test]
fn a_del_of_a_limited_container_killed_anywhere_is_finished_by_the_next() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let prepare = |id: &str| Subject::added(limited(&ground, id));
    let places = at_every_place(&ground, prepare, call_del, |subject, place| {
        subject.assert_del_cleans(&ground, place);
    });
    assert_passed(&places, &["del.begun", "detach.unlinked", "del.unlinked"]);
    ground.assert_no_leak(13);
}
