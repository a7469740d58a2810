//! ADD and DEL with addresses of Debian's `host-local`, killed.

use super::{Subject, assert_passed, at_every_place, call, call_add, call_del};
use crate::container::Container;
use crate::delegation::{assert_clean, container, given, host_local};
use crate::gc::gc;
use crate::ground::{Ground, Kind, NARROW};

/// Every place of an ADD that succeeds.
const PLACES: &[&str] = &[
    "add.intent",
    "add.delegate.before",
    "add.claimed",
    "add.linked",
    "add.prepared",
    "add.addressed",
    "add.up",
    "add.routed",
    "add.recorded",
];

fn fresh<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    container(ground, id, &host_local(ground))
}

fn settle(ground: &Ground, subject: &Subject<'_>, place: &str) {
    subject.assert_del_cleans(ground, place);
    assert_clean(ground, place);
}

#[test]
fn an_add_by_host_local_killed_anywhere_is_undone_by_del() {
    for ground in [
        Ground::new(Kind::Embedded, NARROW),
        Ground::switched(Kind::Embedded, NARROW),
    ] {
        let places = at_every_place(
            &ground,
            |id| fresh(&ground, id).into(),
            call_add,
            |subject, place| settle(&ground, subject, place),
        );
        assert_passed(&places, PLACES);
    }
}

#[test]
fn case_21_an_add_by_host_local_killed_anywhere_is_finished_by_the_next() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let again = |subject: &Subject<'_>, place: &str| {
        let address = subject.container.add().address();
        assert_eq!(given(&ground), [address.to_string()], "given after {place}");
        subject.container.assert_connected(address);
        settle(&ground, subject, place);
    };
    let places = at_every_place(&ground, |id| fresh(&ground, id).into(), call_add, again);
    assert_passed(&places, PLACES);
}

/// The files are lost as well.
#[test]
fn an_add_by_host_local_killed_anywhere_is_undone_by_a_del_that_knows_nothing() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let forget = |subject: &Subject<'_>, place: &str| {
        let run = ground.node().file("run");
        std::fs::remove_dir_all(run).expect("lose the files");
        settle(&ground, subject, place);
    };
    at_every_place(&ground, |id| fresh(&ground, id).into(), call_add, forget);
}

#[test]
fn an_add_killed_while_it_gives_back_what_host_local_gave_is_undone_by_del() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let silent = |id: &str| {
        let container = fresh(&ground, id).with("/gatewayCheck", serde_json::json!(true));
        container
            .with("/ipam/ranges/0/0/gateway", serde_json::json!("10.20.1.9"))
            .into()
    };
    let places = at_every_place(&ground, silent, call_add, |subject, place| {
        settle(&ground, subject, place);
    });
    assert_passed(&places, &["add.undo.unlinked", "add.undo.released"]);
}

#[test]
fn a_del_by_host_local_killed_anywhere_is_finished_by_the_next() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let prepare = |id: &str| Subject::added(fresh(&ground, id));
    let places = at_every_place(&ground, prepare, call_del, |subject, place| {
        settle(&ground, subject, place);
    });
    assert_passed(
        &places,
        &["del.begun", "del.unlinked", "del.released", "del.forgotten"],
    );
}

/// GC is of 1.1.0, which Debian's plugins do not speak: it does its own part, and says that.
#[test]
fn gc_undoes_a_killed_add_by_host_local_and_names_what_the_plugin_cannot() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let subject = fresh(&ground, "a");
    let fault = super::fault().with_env("BERTH_KILL_AT", "add.claimed");
    call(&fault, &subject, "ADD");
    assert_eq!(given(&ground).len(), 1);
    let mut config = subject.config.clone();
    config["cniVersion"] = serde_json::json!("1.1.0");
    let error = gc(&ground, &config, &[]).failure();
    assert!(error.msg.contains("host-local"), "{error:?}");
    assert_eq!(subject.netns.links(), [""; 0]);
    subject.del().success();
    assert_clean(&ground, "GC and DEL");
}
