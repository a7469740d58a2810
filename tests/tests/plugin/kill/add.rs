//! ADD, killed.

use e2e::plugin::{Plugin, Reply};
use serde_json::json;

use super::{Subject, assert_passed, at_every_place, call, unfinished};
use crate::container::Container;
use crate::ground::{Ground, Kind, NARROW};

/// Every place of an ADD that succeeds.
const PLACES: &[&str] = &[
    "add.intent",
    "ipam.claim.before",
    "ipam.claim.after",
    "add.claimed",
    "add.linked",
    "add.prepared",
    "add.addressed",
    "add.up",
    "add.routed",
    "add.recorded",
];

fn add(plugin: &Plugin, container: &Container<'_>) -> Reply {
    call(plugin, container, "ADD")
}

fn killed_then_del(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let prepare = |id: &str| ground.container(id).into();
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    assert_passed(&at_every_place(&ground, prepare, add, settle), PLACES);
    ground.assert_no_leak(13);
}

#[test]
fn an_add_killed_anywhere_is_undone_by_del_embedded() {
    killed_then_del(Kind::Embedded);
}

#[test]
fn an_add_killed_anywhere_is_undone_by_del_etcd() {
    killed_then_del(Kind::Etcd);
}

/// A hardware address that does not follow from the IP address, or is the master's.
fn with_own_mac(pointer: &str, value: &serde_json::Value) {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let prepare = |id: &str| ground.container(id).with(pointer, value.clone()).into();
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    assert_passed(&at_every_place(&ground, prepare, add, settle), PLACES);
    ground.assert_no_leak(13);
}

#[test]
fn an_add_with_its_own_mac_killed_anywhere_is_undone_by_del() {
    with_own_mac("/runtimeConfig", &json!({"mac": "02:aa:bb:cc:dd:01"}));
}

#[test]
fn a_passthru_add_killed_anywhere_is_undone_by_del() {
    with_own_mac("/mode", &json!("passthru"));
}

/// The second ADD finishes what the first began, and there is one address in the end.
fn repeated(ground: &Ground, subject: &Subject<'_>, place: &str) {
    let address = subject.container.add().address();
    assert_eq!(ground.held(), [address], "held after {place}");
    assert_eq!(
        subject.container.netns.links(),
        ["eth0"],
        "links after {place}"
    );
    subject.container.assert_connected(address);
    subject.assert_del_cleans(ground, place);
}

fn killed_then_add(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let prepare = |id: &str| ground.container(id).into();
    let settle = |subject: &Subject<'_>, place: &str| repeated(&ground, subject, place);
    assert_passed(&at_every_place(&ground, prepare, add, settle), PLACES);
    ground.assert_no_leak(13);
}

#[test]
fn case_21_an_add_killed_anywhere_is_finished_by_the_next_embedded() {
    killed_then_add(Kind::Embedded);
}

#[test]
fn case_21_an_add_killed_anywhere_is_finished_by_the_next_etcd() {
    killed_then_add(Kind::Etcd);
}

fn second_killed_too(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    for first in ["add.intent", "add.claimed", "add.recorded"] {
        let prepare = |id: &str| unfinished(&ground, id, first).into();
        let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
        assert_passed(
            &at_every_place(&ground, prepare, add, settle),
            &["add.recorded"],
        );
    }
    ground.assert_no_leak(13);
}

#[test]
fn an_add_that_repeats_a_killed_one_and_is_killed_itself_is_undone_by_del_embedded() {
    second_killed_too(Kind::Embedded);
}

#[test]
fn an_add_that_repeats_a_killed_one_and_is_killed_itself_is_undone_by_del_etcd() {
    second_killed_too(Kind::Etcd);
}

/// A pool in two VLANs is refused late, when address and link are there already.
fn failing(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    ground.create_torn_pool();
    let prepare = |id: &str| {
        ground
            .container(id)
            .with("/ipam/pool", json!("torn"))
            .into()
    };
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    let places = at_every_place(&ground, prepare, add, settle);
    assert_passed(
        &places,
        &["add.claimed", "add.undo.unlinked", "add.undo.released"],
    );
    ground.assert_no_leak(13);
}

#[test]
fn an_add_killed_while_it_undoes_itself_is_undone_by_del_embedded() {
    failing(Kind::Embedded);
}

#[test]
fn an_add_killed_while_it_undoes_itself_is_undone_by_del_etcd() {
    failing(Kind::Etcd);
}

/// The link cannot be made, the address can: the name is taken by somebody else's link.
fn link_refused(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let prepare = |id: &str| {
        let container = ground.container(id);
        container
            .netns
            .ip(&["link", "add", "eth0", "type", "bridge"]);
        Subject::from(container)
    };
    let settle = |subject: &Subject<'_>, place: &str| {
        subject.container.del().success();
        let links = subject.container.netns.links();
        assert_eq!(links, ["eth0"], "the other's link stays after {place}");
        ground.assert_clean(place);
    };
    assert_passed(
        &at_every_place(&ground, prepare, add, settle),
        &["add.undo.released"],
    );
    ground.assert_no_leak(13);
}

#[test]
fn an_add_without_its_link_killed_anywhere_is_undone_by_del_embedded() {
    link_refused(Kind::Embedded);
}

#[test]
fn an_add_without_its_link_killed_anywhere_is_undone_by_del_etcd() {
    link_refused(Kind::Etcd);
}

/// The address cannot be had, the link can be made.
#[test]
fn an_add_without_an_address_killed_anywhere_is_undone_by_del() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let prepare = |id: &str| {
        ground
            .container(id)
            .with("/ipam/pool", json!("nowhere"))
            .into()
    };
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    assert_passed(
        &at_every_place(&ground, prepare, add, settle),
        &["add.undo.released"],
    );
}

/// The runtime starts a container anew under its old id, in a fresh namespace.
fn second_life(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let prepare = |id: &str| {
        let first = ground.container(id);
        first.add().success();
        Subject {
            container: ground.container(id),
            earlier: Some(first.netns),
        }
    };
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    assert_passed(
        &at_every_place(&ground, prepare, add, settle),
        &["add.recorded"],
    );
    let settle = |subject: &Subject<'_>, place: &str| repeated(&ground, subject, place);
    at_every_place(&ground, prepare, add, settle);
    ground.assert_no_leak(13);
}

#[test]
fn an_add_that_takes_over_an_earlier_life_killed_anywhere_is_undone_by_del_embedded() {
    second_life(Kind::Embedded);
}

#[test]
fn an_add_that_takes_over_an_earlier_life_killed_anywhere_is_undone_by_del_etcd() {
    second_life(Kind::Etcd);
}
