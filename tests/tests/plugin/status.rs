//! STATUS: from what the node knows, and never late.

use std::fs;
use std::time::Duration;

use e2e::lan::UPLINK;
use serde_json::{Value, json};

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE};
use crate::schema;

/// The error of a STATUS that has to fail, at once.
#[track_caller]
fn failure(ground: &Ground, config: &Value) -> e2e::plugin::CniError {
    let reply = ground.status(config);
    schema::assert_error(&reply);
    assert!(
        reply.elapsed < Duration::from_secs(1),
        "{:?}",
        reply.elapsed
    );
    reply.failure()
}

#[test]
fn a_node_that_can_serve_says_nothing() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let reply = ground.status(&ground.config());
        reply.success();
        assert_eq!((&*reply.stdout, &*reply.stderr), ("", ""));
    }
}

#[test]
fn case_50_a_master_that_is_missing_or_down_is_code_50() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let missing = ground.config_with("/master", json!("bond7"));
    assert_names(&failure(&ground, &missing), 50, &["master", "bond7"]);
    ground.node().netns().ip(&["link", "set", UPLINK, "down"]);
    assert_names(
        &failure(&ground, &ground.config()),
        50,
        &["master", UPLINK, "down"],
    );
    ground.node().netns().ip(&["link", "set", UPLINK, "up"]);
    ground.status(&ground.config()).success();
}

#[test]
fn case_50_of_a_list_of_masters_one_that_is_there_suffices() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let listed = ground.config_with("/master", json!(["bond7", UPLINK]));
    ground.status(&listed).success();
    ground.node().netns().ip(&["link", "set", UPLINK, "down"]);
    assert_names(&failure(&ground, &listed), 50, &["master", UPLINK]);
    let none = ground.config_with("/master", json!(["bond7", "bond8"]));
    assert_names(&failure(&ground, &none), 50, &["master", "bond7", "bond8"]);
}

#[test]
fn case_49_a_long_outage_is_code_50_until_the_store_answers_etcd() {
    let mut ground = Ground::new(Kind::Etcd, WIDE);
    ground.patience_ms = 1000;
    let config = ground.config();
    let away = ground.node().file("run/store-away");
    ground.etcd().pause();
    let container = ground.container("a");
    assert_eq!(container.add().failure().code, 11);
    assert!(
        away.is_file(),
        "the failed ADD notes since when the store is away"
    );
    ground.status(&config).success();

    // As if that had been long ago; 0 is when the machine started.
    fs::write(&away, "0").expect("write store-away");
    assert_names(&failure(&ground, &config), 50, &["store"]);
    drop(container);
    ground.etcd().resume();
    ground.status(&config).success();
    assert!(!away.exists(), "it is known to be back");

    ground.etcd().kill();
    ground.status(&config).success();
    fs::write(&away, "0").expect("write store-away");
    assert_names(&failure(&ground, &config), 50, &["store"]);
    ground.etcd().restart();
    ground.status(&config).success();
}

#[test]
fn a_call_that_finds_the_store_ends_the_outage_etcd() {
    let ground = Ground::new(Kind::Etcd, WIDE);
    let away = ground.node().file("run/store-away");
    let container = ground.container("a");
    for verb in ["ADD", "DEL"] {
        fs::create_dir_all(ground.node().file("run")).expect("make runDir");
        fs::write(&away, "0").expect("write store-away");
        container.answer(&container.call_of(verb)).success();
        assert!(!away.exists(), "after {verb}");
    }
}
