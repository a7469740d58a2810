//! Nothing is left: namespaces gone, files lost, kills, races.

use super::{By, SERVICES, ground, own_tables, with_services};
use crate::container::Container;
use crate::ground::{Ground, Kind, NARROW};
use crate::kill::{Subject, assert_passed, at_every_place, call};

/// The places that only host access passes.
const PLACES: &[&str] = &[
    "add.access.pair",
    "add.access.inside",
    "add.access.routed",
    "add.access",
    "add.recorded",
];

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
        |plugin, container| call(plugin, container, "ADD"),
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
    let places = at_every_place(
        &ground,
        |id| accessed(&ground, id).into(),
        |plugin, container| call(plugin, container, "ADD"),
        settle,
    );
    assert_passed(&places, PLACES);
}

#[test]
fn a_del_killed_anywhere_is_finished_by_the_next() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let prepare = |id: &str| {
        let container = accessed(&ground, id);
        container.add().success();
        Subject::from(container)
    };
    let places = at_every_place(
        &ground,
        prepare,
        |plugin, container| call(plugin, container, "DEL"),
        |subject, place| {
            subject.assert_del_cleans(&ground, place);
            assert_eq!(own_tables(ground.node()), [""; 0], "{place}");
        },
    );
    assert_passed(
        &places,
        &["access.unpaired", "access.untabled", "del.unlinked"],
    );
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
