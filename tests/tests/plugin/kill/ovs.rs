//! The driver `ovs`, killed: veth, port and address all go, also while the database is away.

use std::time::Duration;

use e2e::lan::UPLINK;
use e2e::plugin::{Plugin, Reply};
use e2e::wait;
use serde_json::json;

use super::{Subject, assert_passed, at_every_place, call};
use crate::container::Container;
use crate::ground::{Ground, Kind, NARROW, POOL};
use crate::ovs::belief::plant;
use crate::ovs::{next_call, pending, port_of};

/// Every place of an ADD that succeeds.
const PLACES: &[&str] = &[
    "add.intent",
    "ipam.claim.before",
    "ipam.claim.after",
    "add.claimed",
    "add.linked",
    "add.port.asked",
    "add.prepared",
    "add.port",
    "add.port.applied",
    "add.addressed",
    "add.up",
    "add.routed",
    "add.recorded",
];

fn add(plugin: &Plugin, container: &Container<'_>) -> Reply {
    call(plugin, container, "ADD")
}

fn del(plugin: &Plugin, container: &Container<'_>) -> Reply {
    call(plugin, container, "DEL")
}

/// A container that has its interface.
fn complete<'a>(ground: &'a Ground, id: &str) -> Subject<'a> {
    let container = ground.container(id);
    container.add().success();
    container.into()
}

/// Wherever it is killed on the way from the VLAN that was believed to the right one.
#[test]
fn an_add_of_a_port_in_the_wrong_vlan_killed_anywhere_is_undone_or_finished() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let prepare = |id: &str| {
        plant(&ground, POOL, "8");
        ground.container(id).into()
    };
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    let places = at_every_place(&ground, prepare, add, settle);
    assert_passed(
        &places,
        &["add.port.asked", "add.port.retagged", "add.port"],
    );
    let settle = |subject: &Subject<'_>, place: &str| repeated(&ground, subject, place);
    at_every_place(&ground, prepare, add, settle);
    ground.assert_no_leak(13);
}

/// The second ADD finishes what the first began, and there is one port in the end.
fn repeated(ground: &Ground, subject: &Subject<'_>, place: &str) {
    let address = subject.container.add().address();
    assert_eq!(ground.held(), [address], "held after {place}");
    let port = port_of(ground, &subject.container);
    assert_eq!(ground.ovs().ports(), [port], "ports after {place}");
    subject.container.assert_connected(address);
    subject.assert_del_cleans(ground, place);
}

#[test]
fn an_add_of_a_port_killed_anywhere_is_undone_by_del_embedded() {
    killed_then_del(Kind::Embedded);
}

#[test]
fn an_add_of_a_port_killed_anywhere_is_undone_by_del_etcd() {
    killed_then_del(Kind::Etcd);
}

fn killed_then_del(kind: Kind) {
    let ground = Ground::switched(kind, NARROW);
    let prepare = |id: &str| ground.container(id).with("/vlan", json!(7)).into();
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    assert_passed(&at_every_place(&ground, prepare, add, settle), PLACES);
    ground.assert_no_leak(13);
}

/// The container's namespace went with it, and the run files with the reboot.
#[test]
fn an_add_of_a_port_killed_anywhere_is_undone_by_del_also_without_namespace_and_files() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let prepare = |id: &str| ground.container(id).into();
    let settle = |subject: &Subject<'_>, place: &str| {
        let Subject {
            container,
            earlier: _,
        } = subject;
        // The kernel takes the links of a namespace along.
        let links = container.netns.links();
        for link in links {
            container.netns.ip(&["link", "del", &link]);
        }
        let run = ground.node().file("run");
        if run.exists() {
            std::fs::remove_dir_all(run).expect("lose runDir");
        }
        let gone = e2e::plugin::Call {
            netns: None,
            ..container.call_of("DEL")
        };
        container.answer(&gone).success();
        subject.assert_del_cleans(&ground, place);
    };
    assert_passed(&at_every_place(&ground, prepare, add, settle), PLACES);
    ground.assert_no_leak(13);
}

#[test]
fn case_21_an_add_of_a_port_killed_anywhere_is_finished_by_the_next_embedded() {
    killed_then_add(Kind::Embedded);
}

#[test]
fn case_21_an_add_of_a_port_killed_anywhere_is_finished_by_the_next_etcd() {
    killed_then_add(Kind::Etcd);
}

fn killed_then_add(kind: Kind) {
    let ground = Ground::switched(kind, NARROW);
    let prepare = |id: &str| ground.container(id).into();
    let settle = |subject: &Subject<'_>, place: &str| repeated(&ground, subject, place);
    assert_passed(&at_every_place(&ground, prepare, add, settle), PLACES);
    ground.assert_no_leak(13);
}

/// The runtime starts a container anew under its old id, in a fresh namespace.
#[test]
fn an_add_of_a_port_that_takes_over_an_earlier_life_killed_anywhere_is_undone_or_finished() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let prepare = |id: &str| {
        let Subject {
            container: first,
            earlier: _,
        } = complete(&ground, id);
        Subject {
            container: ground.container(id),
            earlier: Some(first.netns),
        }
    };
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    let places = at_every_place(&ground, prepare, add, settle);
    assert_passed(&places, &["add.port", "add.recorded"]);
    let settle = |subject: &Subject<'_>, place: &str| repeated(&ground, subject, place);
    at_every_place(&ground, prepare, add, settle);
    ground.assert_no_leak(13);
}

/// There is an interface of that name, but no bridge: all but the port is made, and undone.
#[test]
fn an_add_without_a_bridge_killed_anywhere_is_undone_by_del() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let prepare = |id: &str| ground.container(id).with("/bridge", json!(UPLINK)).into();
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    let places = at_every_place(&ground, prepare, add, settle);
    assert_passed(&places, &["add.undo.released"]);
    ground.assert_no_leak(13);
}

#[test]
fn a_del_of_a_port_killed_anywhere_is_finished_by_the_next_embedded() {
    del_killed(Kind::Embedded);
}

#[test]
fn a_del_of_a_port_killed_anywhere_is_finished_by_the_next_etcd() {
    del_killed(Kind::Etcd);
}

fn del_killed(kind: Kind) {
    let ground = Ground::switched(kind, NARROW);
    let prepare = |id: &str| complete(&ground, id);
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    let places = at_every_place(&ground, prepare, del, settle);
    assert_passed(&places, &["del.begun", "del.unlinked", "del.forgotten"]);
    let settle = |subject: &Subject<'_>, place: &str| repeated(&ground, subject, place);
    at_every_place(&ground, prepare, del, settle);
    ground.assert_no_leak(13);
}

/// The port's removal waits on disk; the next call makes it.
#[test]
fn case_55_a_del_without_a_database_killed_anywhere_is_finished_by_the_next() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let prepare = |id: &str| complete(&ground, id);
    let away = |plugin: &Plugin, container: &Container<'_>| {
        ground.ovs().hide_database();
        let reply = call(plugin, container, "DEL");
        // Once more, as runtimes do, while it is still away.
        container.del().success();
        ground.ovs().show_database();
        reply
    };
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    let places = at_every_place(&ground, prepare, away, settle);
    assert_passed(&places, &["del.unlinked", "del.forgotten"]);
    ground.assert_no_leak(13);
}

/// A call that removes what waited is killed itself.
#[test]
fn case_55_a_call_that_removes_ports_that_waited_killed_anywhere_is_finished_by_the_next() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let prepare = |id: &str| {
        let waits = complete(&ground, "waits");
        ground.ovs().hide_database();
        waits.container.del().success();
        ground.ovs().show_database();
        assert_eq!(pending(&ground).len(), 1);
        ground.container(id).into()
    };
    let settle = |subject: &Subject<'_>, place: &str| {
        // A call gives the database 0.3 s for what waits, and leaves it to the next otherwise: on a
        // busy machine it takes more than one.
        wait::until(Duration::from_mins(1), "nothing waits any more", || {
            next_call(&ground);
            pending(&ground).is_empty()
        });
        subject.assert_del_cleans(&ground, place);
    };
    at_every_place(&ground, prepare, add, settle);
    ground.assert_no_leak(13);
}
