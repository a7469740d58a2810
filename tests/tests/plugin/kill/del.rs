//! DEL, killed.

use e2e::plugin::{Plugin, Reply};

use super::{Subject, assert_passed, at_every_place, call, unfinished};
use crate::container::Container;
use crate::ground::{Ground, Kind, NARROW};

/// Every place of a DEL that finds the store.
const PLACES: &[&str] = &[
    "del.begun",
    "del.unlinked",
    "ipam.release.before",
    "ipam.release.after",
    "del.released",
    "del.forgotten",
];

fn del(plugin: &Plugin, container: &Container<'_>) -> Reply {
    call(plugin, container, "DEL")
}

fn complete(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let prepare = |id: &str| {
        let container = ground.container(id);
        container.add().success();
        Subject::from(container)
    };
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    assert_passed(&at_every_place(&ground, prepare, del, settle), PLACES);
    ground.assert_no_leak(13);
}

#[test]
fn a_del_killed_anywhere_is_finished_by_the_next_embedded() {
    complete(Kind::Embedded);
}

#[test]
fn a_del_killed_anywhere_is_finished_by_the_next_etcd() {
    complete(Kind::Etcd);
}

/// The ADD before it was killed as well, before or after it had its address.
fn of_an_unfinished_add(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    for add in ["add.intent", "add.claimed", "add.recorded"] {
        let prepare = |id: &str| unfinished(&ground, id, add).into();
        let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
        let places = at_every_place(&ground, prepare, del, settle);
        assert_passed(
            &places,
            &["del.begun", "del.unlinked", "del.released", "del.forgotten"],
        );
    }
    ground.assert_no_leak(13);
}

#[test]
fn a_del_of_a_killed_add_killed_anywhere_is_finished_by_the_next_embedded() {
    of_an_unfinished_add(Kind::Embedded);
}

#[test]
fn a_del_of_a_killed_add_killed_anywhere_is_finished_by_the_next_etcd() {
    of_an_unfinished_add(Kind::Etcd);
}

/// After a killed DEL the runtime may also start the container again under its id.
fn then_add(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let prepare = |id: &str| {
        let container = ground.container(id);
        container.add().success();
        Subject::from(container)
    };
    let settle = |subject: &Subject<'_>, place: &str| {
        let address = subject.container.add().address();
        assert_eq!(ground.held(), [address], "held after {place}");
        subject.container.assert_connected(address);
        subject.assert_del_cleans(&ground, place);
    };
    assert_passed(&at_every_place(&ground, prepare, del, settle), PLACES);
    ground.assert_no_leak(13);
}

#[test]
fn a_del_killed_anywhere_is_followed_by_an_add_as_well_embedded() {
    then_add(Kind::Embedded);
}

#[test]
fn a_del_killed_anywhere_is_followed_by_an_add_as_well_etcd() {
    then_add(Kind::Etcd);
}
