//! Calls that write or work off the journal of waiting releases, killed.

use e2e::plugin::{Plugin, Reply};

use super::{Subject, assert_passed, at_every_place, call, unfinished};
use crate::container::Container;
use crate::ground::{Ground, Kind, NARROW, waiting};

/// A container that ran, and whose release waits.
fn released_into_the_journal<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    let container = ground.container(id);
    container.add().success();
    let away = ground.cut_off();
    container.del().success();
    drop(away);
    assert_eq!(ground.held().len(), 1, "the release of {id} waits");
    container
}

#[track_caller]
fn assert_settled(ground: &Ground, subject: &Subject<'_>, place: &str) {
    subject.assert_del_cleans(ground, place);
    assert_eq!(
        waiting(ground.node()),
        [""; 0],
        "waiting releases after {place}"
    );
}

#[test]
fn a_del_with_the_store_away_killed_anywhere_is_finished_by_the_next_etcd() {
    let ground = Ground::new(Kind::Etcd, NARROW);
    let prepare = |id: &str| {
        let container = ground.container(id);
        container.add().success();
        Subject::from(container)
    };
    let act = |plugin: &Plugin, container: &Container<'_>| {
        let _away = ground.cut_off();
        call(plugin, container, "DEL")
    };
    let settle = |subject: &Subject<'_>, place: &str| assert_settled(&ground, subject, place);
    let places = at_every_place(&ground, prepare, act, settle);
    let journal = ["ipam.journal.before", "ipam.journal.after"];
    assert_passed(
        &places,
        &[
            &["del.begun", "del.unlinked", "del.forgotten"],
            &journal[..],
        ]
        .concat(),
    );

    let settle = |subject: &Subject<'_>, place: &str| {
        let away = ground.cut_off();
        subject.container.del().success();
        drop(away);
        assert_settled(&ground, subject, place);
    };
    at_every_place(&ground, prepare, act, settle);
    ground.assert_no_leak(13);
}

#[test]
fn a_del_of_a_killed_add_with_the_store_away_killed_anywhere_is_finished_by_the_next_etcd() {
    let ground = Ground::new(Kind::Etcd, NARROW);
    let prepare = |id: &str| unfinished(&ground, id, "add.claimed").into();
    let act = |plugin: &Plugin, container: &Container<'_>| {
        let _away = ground.cut_off();
        call(plugin, container, "DEL")
    };
    let settle = |subject: &Subject<'_>, place: &str| assert_settled(&ground, subject, place);
    at_every_place(&ground, prepare, act, settle);
    ground.assert_no_leak(13);
}

#[test]
fn an_add_of_an_id_whose_release_waits_killed_anywhere_is_undone_by_del_etcd() {
    let ground = Ground::new(Kind::Etcd, NARROW);
    let prepare = |id: &str| released_into_the_journal(&ground, id).into();
    let act = |plugin: &Plugin, container: &Container<'_>| call(plugin, container, "ADD");
    let settle = |subject: &Subject<'_>, place: &str| assert_settled(&ground, subject, place);
    at_every_place(&ground, prepare, act, settle);

    let settle = |subject: &Subject<'_>, place: &str| {
        let address = subject.container.add().address();
        assert_eq!(ground.held(), [address], "held after {place}");
        subject.container.assert_connected(address);
        // The next call would make a release that still waits: the container lives.
        let other = ground.container("drains");
        other.add().success();
        other.del().success();
        assert_eq!(ground.held(), [address], "held after {place} and a drain");
        assert_settled(&ground, subject, place);
    };
    at_every_place(&ground, prepare, act, settle);
    ground.assert_no_leak(13);
}

#[test]
fn a_call_that_drains_the_journal_killed_anywhere_loses_nothing_etcd() {
    let ground = Ground::new(Kind::Etcd, NARROW);
    let prepare = |id: &str| {
        let other = ground.container(id);
        other.add().success();
        released_into(&ground, &format!("{id}-waiting"));
        Subject::from(other)
    };
    let act = |plugin: &Plugin, container: &Container<'_>| call(plugin, container, "DEL");
    let settle = |subject: &Subject<'_>, place: &str| assert_settled(&ground, subject, place);
    let places = at_every_place(&ground, prepare, act, settle);
    assert_passed(&places, &["ipam.drain.before-unlink"]);
    ground.assert_no_leak(13);
}

/// As [`released_into_the_journal`], while another container runs.
fn released_into(ground: &Ground, id: &str) {
    let container = ground.container(id);
    container.add().success();
    let _away = ground.cut_off();
    let reply: Reply = container.del();
    reply.success();
}
