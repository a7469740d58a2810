//! The VLAN sub-interface while calls race, and while they are killed.

use e2e::plugin::{Plugin, Reply, Running};

use super::tagged::{SUB, Tagged};
use crate::container::Container;
use crate::ground::Kind;
use crate::kill::{Subject, assert_passed, at_every_place, call};

/// How many containers come and go at once.
const CONTAINERS: usize = 6;
/// How often each does.
const ROUNDS: usize = 8;

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn containers_that_come_and_go_at_once_never_lose_the_sub_interface() {
    let tagged = Tagged::new(Kind::Embedded);
    let containers: Vec<_> = (0..CONTAINERS)
        .map(|n| match n % 2 {
            0 => tagged.by_pool(&format!("c{n}"), 120),
            _ => tagged.by_config(&format!("c{n}")),
        })
        .collect();
    // Each round starts some while it ends the others; in every other one nobody is left on the
    // sub-interface when the first of the new ones comes.
    let mut live = vec![false; CONTAINERS];
    for round in 0..ROUNDS {
        let calls: Vec<_> = containers
            .iter()
            .zip(&live)
            .map(|(container, live)| container.start(if *live { "DEL" } else { "ADD" }))
            .collect();
        for (reply, live) in calls.into_iter().map(Running::finish).zip(&mut live) {
            reply.success();
            *live = !*live;
        }
        for (container, _) in containers.iter().zip(&live).filter(|(_, live)| **live) {
            tagged.assert_on(container, SUB);
        }
        if round % 3 == 0 {
            containers[0].del().success();
            live[0] = false;
        }
    }
    for container in &containers {
        container.del().success();
    }
    tagged.ground.assert_clean("all have gone");
}

fn add(plugin: &Plugin, container: &Container<'_>) -> Reply {
    call(plugin, container, "ADD")
}

fn del(plugin: &Plugin, container: &Container<'_>) -> Reply {
    call(plugin, container, "DEL")
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn an_add_killed_anywhere_leaves_no_sub_interface_after_del() {
    let tagged = Tagged::new(Kind::Embedded);
    let settle = |subject: &Subject<'_>, place: &str| {
        subject.assert_del_cleans(&tagged.ground, place);
    };
    let by_config = |id: &str| tagged.by_config(id).into();
    let places = at_every_place(&tagged.ground, by_config, add, settle);
    assert_passed(
        &places,
        &["vlan.made", "vlan.settled", "add.linked", "add.up"],
    );
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn an_add_killed_while_it_follows_the_pool_leaves_no_sub_interface_after_del() {
    let tagged = Tagged::new(Kind::Embedded);
    let settle = |subject: &Subject<'_>, place: &str| {
        subject.assert_del_cleans(&tagged.ground, place);
    };
    // Without the guess the link is made on the master first.
    let by_pool = |id: &str| {
        let guess = tagged.ground.node().file("run/tagged/pool-120");
        drop(std::fs::remove_file(guess));
        tagged.by_pool(id, 120).into()
    };
    let places = at_every_place(&tagged.ground, by_pool, add, settle);
    assert_passed(&places, &["add.unplaced", "vlan.made", "vlan.settled"]);
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn an_add_killed_anywhere_is_finished_by_the_next() {
    let tagged = Tagged::new(Kind::Embedded);
    let prepare = |id: &str| tagged.by_config(id).into();
    let settle = |subject: &Subject<'_>, place: &str| {
        subject.container.add().success();
        tagged.assert_on(&subject.container, SUB);
        subject.assert_del_cleans(&tagged.ground, place);
    };
    let places = at_every_place(&tagged.ground, prepare, add, settle);
    assert_passed(&places, &["vlan.made", "vlan.settled"]);
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn a_del_killed_anywhere_is_finished_by_the_next_and_holds_nobody_up() {
    let tagged = Tagged::new(Kind::Embedded);
    let prepare = |id: &str| {
        let container = tagged.by_config(id);
        container.add().success();
        Subject::from(container)
    };
    let settle = |subject: &Subject<'_>, place: &str| {
        subject.assert_del_cleans(&tagged.ground, place);
    };
    let places = at_every_place(&tagged.ground, prepare, del, settle);
    assert_passed(&places, &["vlan.sounded", "vlan.removed"]);
    let settle = |subject: &Subject<'_>, place: &str| {
        let other = tagged.by_config("next");
        other.add().success();
        tagged.assert_on(&other, SUB);
        subject.container.del().success();
        tagged.assert_on(&other, SUB);
        other.del().success();
        tagged.ground.assert_clean(place);
    };
    at_every_place(&tagged.ground, prepare, del, settle);
}
