//! GC, killed, and GC after kills.

use e2e::plugin::{Plugin, Reply};

use super::{Subject, assert_passed, at_every_place, unfinished};
use crate::container::Container;
use crate::gc::{gc, gc_with};
use crate::ground::{Ground, Kind, NARROW};

/// Every place of a GC that finds something.
const PLACES: &[&str] = &[
    "gc.begun",
    "gc.cleared",
    "ipam.release.before",
    "ipam.release.after",
    "del.released",
    "del.forgotten",
];

fn killed(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let prepare = |id: &str| {
        let container = ground.container(id);
        container.add().success();
        container.netns.ip(&["link", "del", "eth0"]);
        Subject::from(container)
    };
    let act = |plugin: &Plugin, container: &Container<'_>| -> Reply {
        gc_with(plugin, ground.node(), &container.config, &[])
    };
    let settle = |subject: &Subject<'_>, place: &str| {
        gc(&ground, &subject.container.config, &[]).success();
        subject.assert_gone(&ground, place);
        subject.assert_del_cleans(&ground, place);
    };
    assert_passed(&at_every_place(&ground, prepare, act, settle), PLACES);
    ground.assert_no_leak(13);
}

#[test]
fn a_gc_killed_anywhere_is_finished_by_the_next_embedded() {
    killed(Kind::Embedded);
}

#[test]
fn a_gc_killed_anywhere_is_finished_by_the_next_etcd() {
    killed(Kind::Etcd);
}

/// A runtime that forgot a failed ADD never sends its DEL.
fn after_a_killed_add(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    for place in ["add.intent", "add.linked", "add.claimed", "add.up"] {
        let container = unfinished(&ground, "a", place);
        gc(&ground, &container.config, &["a"]).success();
        gc(&ground, &container.config, &[]).success();
        assert_eq!(container.netns.links(), [""; 0], "links after {place}");
        ground.assert_clean(place);
    }
    // Complete: it may be another runtime's.
    let container = unfinished(&ground, "a", "add.recorded");
    gc(&ground, &container.config, &[]).success();
    assert_eq!(ground.held().len(), 1);
    container.del().success();
    ground.assert_no_leak(13);
}

#[test]
fn case_34_an_add_that_was_killed_and_forgotten_is_found_by_gc_embedded() {
    after_a_killed_add(Kind::Embedded);
}

#[test]
fn case_34_an_add_that_was_killed_and_forgotten_is_found_by_gc_etcd() {
    after_a_killed_add(Kind::Etcd);
}
