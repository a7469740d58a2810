//! Nothing is left: namespaces gone, files lost, kills, races.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use e2e::{debian, process, wait};

use super::{By, SERVICES, ground, own_tables, with_services};
use crate::container::Container;
use crate::ground::{Ground, Kind, NARROW};
use crate::kill::{Subject, assert_passed, at_every_place, call_add, call_del};

/// The places that only host access passes.
const PLACES: &[&str] = &[
    "add.access.pair",
    "add.access.inside",
    "add.access.routed",
    "add.access",
    "add.recorded",
];

/// How long another program may take.
const PATIENCE: Duration = Duration::from_mins(1);

fn accessed<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    with_services(ground.container(id), &SERVICES[..1])
}

#[test]
fn a_del_cleans_with_the_namespace_gone_and_with_the_files_lost() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let container = accessed(&ground, "a");
    container.add().success();
    std::fs::remove_dir_all(ground.node().file("run")).expect("lose the files");
    container.del().success();
    ground.assert_clean("files lost");

    let container = accessed(&ground, "b");
    container.add().success();
    let config = container.config.clone();
    drop(container);
    let ended = accessed(&ground, "b");
    assert_eq!(ended.config, config);
    ended.del().success();
    ended.del().success();
    ground.assert_clean("namespace gone");
    assert_eq!(own_tables(ground.node()), [""; 0]);
}

/// Else the node would lead to a container that is gone whoever is given its address next.
#[test]
fn a_del_without_files_cleans_though_host_access_was_switched_off() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let mut container = accessed(&ground, "a");
    container.add().success();
    std::fs::remove_dir_all(ground.node().file("run")).expect("lose the files");
    container.config = ground.config();
    container.del().success();
    ground.assert_clean("switched off");
    assert_eq!(container.netns.links(), [""; 0]);
    assert_eq!(own_tables(ground.node()), [""; 0]);
}

#[test]
fn an_add_killed_anywhere_is_undone_by_del() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let places = at_every_place(
        &ground,
        |id| accessed(&ground, id).into(),
        call_add,
        |subject, place| {
            subject.assert_del_cleans(&ground, place);
            assert_eq!(own_tables(ground.node()), [""; 0], "{place}");
        },
    );
    assert_passed(&places, PLACES);
    ground.assert_no_leak(13);
}

#[test]
fn an_add_killed_anywhere_is_finished_by_the_next() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let settle = |subject: &Subject<'_>, place: &str| {
        let reply = subject.container.add();
        subject.container.check(&reply.json).success();
        assert!(ground.node().netns().ping(reply.address()), "{place}");
        assert_eq!(subject.container.netns.links().len(), 2, "{place}");
        subject.assert_del_cleans(&ground, place);
    };
    let places = at_every_place(&ground, |id| accessed(&ground, id).into(), call_add, settle);
    assert_passed(&places, PLACES);
}

#[test]
fn a_del_killed_anywhere_is_finished_by_the_next() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let prepare = |id: &str| Subject::added(accessed(&ground, id));
    let places = at_every_place(&ground, prepare, call_del, |subject, place| {
        subject.assert_del_cleans(&ground, place);
        assert_eq!(own_tables(ground.node()), [""; 0], "{place}");
    });
    assert_passed(
        &places,
        &["access.unpaired", "access.untabled", "del.unlinked"],
    );
}

/// A table that somebody else has for himself: it does nothing without pairs, and no container is
/// held up for it.
#[test]
fn a_table_that_cannot_be_removed_holds_no_del_up() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let container = accessed(&ground, "a");
    container.add().success();
    let own = own_tables(ground.node()).pop().expect("a table");
    container.del().success();
    let mut nft = ground.node().command(debian::require("nft", "nftables"));
    nft.arg("-i").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut owner = nft.spawn().expect("start nft");
    let mut input = owner.stdin.take().expect("its input");
    writeln!(input, "add table inet {own} {{ flags owner; }}").expect("own the table");
    // In words: `nft -j` dies of a table with flags, in Debian 12.
    let listed = || {
        let mut nft = ground.node().command(debian::require("nft", "nftables"));
        process::output(nft.args(["list", "tables"]))
    };
    let only = format!("table inet {own}\n");
    wait::until(PATIENCE, "the table is there", || listed() == only);

    let other = with_services(ground.container("b"), &SERVICES[1..2]);
    other.add().success();
    other.del().success();
    assert_eq!(listed(), only, "the one that cannot be removed");
    ground.assert_clean("a table that stays");
    // It goes with its owner.
    drop(input);
    owner.wait().expect("nft ends");
    wait::until(PATIENCE, "no table", || listed().is_empty());
}

/// One goes while another comes: whoever is there has the table.
#[test]
fn a_table_that_one_removes_while_another_needs_it_stands_in_the_end() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    for round in 0..15 {
        let goes = accessed(&ground, &format!("goes-{round}"));
        let comes = accessed(&ground, &format!("comes-{round}"));
        goes.add().success();
        let (removal, addition) = (goes.start("DEL"), comes.start("ADD"));
        removal.finish().success();
        addition.finish().success();
        assert_eq!(own_tables(ground.node()).len(), 1, "round {round}");
        comes.del().success();
        assert_eq!(own_tables(ground.node()), [""; 0], "round {round}");
    }
}
