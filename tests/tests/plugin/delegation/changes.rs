//! The configuration is not what it was at the ADD (case 31).

use serde_json::json;

use super::{assert_clean, container, given, ground, host_local};
use crate::container::assert_names;
use crate::ground::NOTHING;

#[test]
fn case_31_del_gives_back_what_host_local_gave_whatever_ipam_is_configured_now() {
    let ground = ground();
    let own = ground.config()["ipam"].clone();
    let mut elsewhere = host_local(&ground);
    elsewhere["dataDir"] = json!(ground.node().file("elsewhere"));
    for now in [own, elsewhere] {
        let container = container(&ground, "a", &host_local(&ground));
        container.add().success();
        let container = container.with("/ipam", now.clone());
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0]);
        assert_clean(&ground, &now.to_string());
    }
}

#[test]
fn an_add_under_an_id_that_host_local_gave_an_address_before_gives_that_back() {
    let ground = ground();
    let own = ground.config()["ipam"].clone();
    let first = container(&ground, "a", &host_local(&ground));
    first.add().success();
    let second = container(&ground, "a", &own);
    let address = second.add().address();
    assert_eq!(given(&ground), [""; 0]);
    assert_eq!(ground.held(), [address]);
    second.del().success();
    assert_clean(&ground, "from host-local to a pool");
}

#[test]
fn check_asks_whoever_gave_the_address() {
    let ground = ground();
    let own = ground.config()["ipam"].clone();
    let container = container(&ground, "a", &host_local(&ground));
    let result = container.add().success().clone();
    let container = container.with("/ipam", own);
    container.check(&result).success();
    let folder = ground.node().file("host-local");
    std::fs::remove_dir_all(&folder).expect("host-local forgets it");
    assert_names(&container.check(&result).failure(), 999, &["host-local"]);
    container.del().success();
    assert_clean(&ground, "CHECK");
}

/// The node owes the store nothing for them, killed ADDs included.
#[test]
fn a_closed_store_is_not_told_of_them_and_does_not_wait_for_them() {
    let ground = ground();
    let whole = container(&ground, "a", &host_local(&ground));
    whole.add().success();
    let killed = container(&ground, "b", &host_local(&ground));
    let fault = crate::kill::fault().with_env("BERTH_KILL_AT", "add.up");
    crate::kill::call(&fault, &killed, "ADD");
    ground.cnictl(&["store", "close", "--reason", "a drill"]);
    let [run, state] = ["run", "state"].map(|name| ground.node().file(name).display().to_string());
    let node = ground.node().name();
    let report = ground.cnictl(&[
        "node",
        "republish",
        "--node",
        node,
        "--run-dir",
        &run,
        "--state-dir",
        &state,
        "-o",
        "json",
    ]);
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["answered"], true, "{report:#}");
    assert_eq!(report["attachments"], json!([]), "{report:#}");
    // Nobody has to wait for the store to be opened either.
    let late = container(&ground, "c", &host_local(&ground));
    late.add().success();
    for container in [whole, killed, late] {
        container.del().success();
    }
    assert_clean(&ground, "closed");
}

/// Only the store could free it, and the configuration no longer says which store.
#[test]
fn what_the_store_gave_stays_held_until_del_comes_with_the_store() {
    let ground = ground();
    let own = ground.config()["ipam"].clone();
    let container = container(&ground, "a", &own);
    let address = container.add().address();
    let container = container.with("/ipam", host_local(&ground));
    assert_names(&container.del().failure(), 7, &["ipam.type", "host-local"]);
    assert_eq!(container.netns.links(), [""; 0], "it is off the network");
    assert_eq!(ground.held(), [address]);
    let container = container.with("/ipam", own);
    container.del().success();
    assert_eq!(ground.held(), NOTHING);
    assert_clean(&ground, "with the store again");
}
