//! `berth-ipam`, killed.

use e2e::plugin::{Plugin, Reply};

use super::{Subject, assert_passed, at_every_place_of, call, fault_of};
use crate::container::Container;
use crate::delegated;
use crate::ground::{Ground, Kind, NARROW, waiting};

fn places<'a>(
    ground: &'a Ground,
    verb: &str,
    prepare: impl Fn(&str) -> Subject<'a>,
    settle: impl Fn(&Subject<'_>, &str),
) -> Vec<String> {
    let act =
        |plugin: &Plugin, container: &Container<'_>| -> Reply { call(plugin, container, verb) };
    at_every_place_of(&fault_of("berth-ipam-faults"), ground, prepare, act, settle)
}

fn killed(kind: Kind) {
    let ground = delegated::alone(kind, NARROW);
    let fresh = |id: &str| delegated::container(&ground, id).into();
    let gone = |subject: &Subject<'_>, place: &str| {
        subject.container.del().success();
        subject.assert_gone(&ground, place);
    };
    let passed = places(&ground, "ADD", fresh, gone);
    assert_passed(
        &passed,
        &[
            "add.intent",
            "ipam.claim.after",
            "add.claimed",
            "add.recorded",
        ],
    );

    // The next ADD finishes it, with one address in the end.
    let again = |subject: &Subject<'_>, place: &str| {
        let address = subject.container.add().address();
        assert_eq!(ground.held(), [address], "held after {place}");
        gone(subject, place);
    };
    places(&ground, "ADD", fresh, again);

    let given = |id: &str| {
        let container = delegated::container(&ground, id);
        container.add().success();
        container.into()
    };
    let passed = places(&ground, "DEL", given, gone);
    assert_passed(
        &passed,
        &["del.begun", "del.unlinked", "del.released", "del.forgotten"],
    );
    places(&ground, "DEL", given, again);
}

#[test]
fn an_add_or_del_of_the_delegated_plugin_killed_anywhere_leaves_nothing_embedded() {
    killed(Kind::Embedded);
}

#[test]
fn an_add_or_del_of_the_delegated_plugin_killed_anywhere_leaves_nothing_etcd() {
    killed(Kind::Etcd);
}

#[test]
fn a_del_of_the_delegated_plugin_with_the_store_away_killed_anywhere_is_finished_etcd() {
    let ground = delegated::alone(Kind::Etcd, NARROW);
    let given = |id: &str| {
        let container = delegated::container(&ground, id);
        container.add().success();
        Subject::from(container)
    };
    let act = |plugin: &Plugin, container: &Container<'_>| {
        let _away = ground.cut_off();
        call(plugin, container, "DEL")
    };
    let settle = |subject: &Subject<'_>, place: &str| {
        subject.container.del().success();
        subject.assert_gone(&ground, place);
        assert_eq!(waiting(ground.node()), [""; 0], "waiting after {place}");
    };
    let faults = fault_of("berth-ipam-faults");
    let passed = at_every_place_of(&faults, &ground, given, act, settle);
    assert_passed(&passed, &["ipam.journal.before", "ipam.journal.after"]);
}
