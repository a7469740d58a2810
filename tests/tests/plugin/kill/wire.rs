//! An ADD that asks the wire, killed.

use e2e::lan::UPLINK;
use serde_json::json;

use super::{Subject, assert_passed, at_every_place, call};
use crate::container::Container;
use crate::ground::{Ground, Kind, ip};
use crate::records;
use crate::wire::{FOREIGN, both, occupy};

/// 10.20.1.2 alone.
const ONE: &[&str] = &["--subnet", "10.20.1.0/30", "--gateway", "10.20.1.1"];

fn asking<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    ground
        .container(id)
        .with("/conflictCheck", json!("always"))
        .with("/gatewayCheck", json!(true))
}

fn add(plugin: &e2e::plugin::Plugin, container: &Container<'_>) -> e2e::plugin::Reply {
    call(plugin, container, "ADD")
}

#[test]
fn an_add_that_asks_the_wire_killed_anywhere_is_undone_by_del() {
    let ground = both(1);
    let prepare = |id: &str| asking(&ground, id).into();
    let settle = |subject: &Subject<'_>, place: &str| subject.assert_del_cleans(&ground, place);
    let places = at_every_place(&ground, prepare, add, settle);
    let expected = [
        "add.routers-ignored",
        "add.ipv6",
        "add.probed",
        "add.gateways-found",
        "add.announced",
    ];
    assert_passed(&places, &expected);
}

#[test]
fn an_add_that_asks_the_wire_killed_anywhere_is_finished_by_the_next() {
    let ground = both(1);
    let prepare = |id: &str| asking(&ground, id).into();
    let settle = |subject: &Subject<'_>, place: &str| {
        let reply = subject.container.add();
        let link = subject.container.netns.link("eth0").expect("its interface");
        let mac = &reply.success()["interfaces"][0]["mac"];
        assert_eq!(&link["address"], mac, "after {place}");
        subject.assert_del_cleans(&ground, place);
    };
    assert_passed(
        &at_every_place(&ground, prepare, add, settle),
        &["add.probed"],
    );
}

/// The record of the one address.
fn is_unproven(ground: &Ground) -> bool {
    let known = records::addresses(ground);
    let found = known
        .into_iter()
        .find(|(known, _)| *known == ip("10.20.1.2"));
    found.is_some_and(|(_, record)| record.unproven)
}

#[test]
fn a_doubtful_address_is_no_less_so_after_an_add_that_did_not_ask_to_its_end() {
    let ground = Ground::new(Kind::Embedded, ONE);
    let doubt = |id: &str| {
        let first = ground.container("first");
        first.add().success();
        first.del().success();
        let address = ip("10.20.1.2");
        records::change_address(&ground, address, |record| record.unproven = true);
        ground.container(id).into()
    };
    let settle = |subject: &Subject<'_>, place: &str| {
        subject.container.del().success();
        subject.assert_gone(&ground, place);
        let proven = ["no kill", "ipam.wire.after", "add.noted", "add.recorded"];
        let is_proven = proven.contains(&place);
        assert_eq!(is_unproven(&ground), !is_proven, "killed at {place}");
    };
    let places = at_every_place(&ground, doubt, add, settle);
    let expected = [
        "add.probed",
        "ipam.wire.before",
        "ipam.wire.after",
        "add.noted",
    ];
    assert_passed(&places, &expected);
}

#[test]
fn an_add_that_finds_another_killed_anywhere_is_undone_by_del() {
    let ground = both(2);
    let host = ground.nodes[1].netns();
    // Whichever it is given: the first of them, or one that was kept out of use before.
    occupy(host, UPLINK, FOREIGN, "10.20.1.2");
    for last in 3..15 {
        let address = format!("10.20.1.{last}/28");
        host.ip(&["address", "add", &address, "dev", UPLINK]);
    }
    let prepare = |id: &str| asking(&ground, id).into();
    let settle = |subject: &Subject<'_>, place: &str| {
        subject.container.del().success();
        subject.assert_gone(&ground, place);
    };
    let places = at_every_place(&ground, prepare, add, settle);
    let expected = ["ipam.wire.after", "add.noted", "add.undo.unlinked"];
    assert_passed(&places, &expected);
}
