//! STATUS, and every version of the specification.

use std::time::Duration;

use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE};
use crate::schema::{self, VERSIONS};

/// STATUS has to fail with code 50, at once.
#[track_caller]
fn assert_not_available(ground: &Ground, config: &serde_json::Value, names: &[&str]) {
    let reply = ground.status(config);
    schema::assert_error(&reply);
    let elapsed = reply.elapsed;
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    assert_names(&reply.failure(), 50, names);
}

#[test]
fn case_50_a_bridge_that_is_missing_or_a_database_that_is_away_is_code_50() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let config = ground.config();
    ground.status(&config).success();
    let missing = ground.config_with("/bridge", json!("br-none"));
    assert_not_available(&ground, &missing, &["bridge", "br-none"]);
    let socket = ground.ovs().socket().display().to_string();
    ground.ovs().hide_database();
    assert_not_available(&ground, &config, &["OVSDB", &socket]);
    ground.ovs().show_database();
    ground.ovs().pause_database();
    assert_not_available(&ground, &config, &["OVSDB", &socket]);
    ground.ovs().resume_database();
    ground.status(&config).success();
}

/// The database answers for itself.
#[test]
fn a_switch_that_is_gone_is_code_50() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let config = ground.config();
    let socket = ground.ovs().socket().display().to_string();
    for _ in 0..2 {
        ground.status(&config).success();
        ground.ovs().kill_switch();
        assert_not_available(&ground, &config, &["ovs-vswitchd", &socket]);
        ground.ovs().start_switch();
        ground.ovs().settle();
    }
    // Asking takes nothing from the switch.
    for _ in 0..20 {
        ground.status(&config).success();
    }
    let container = ground.container("a");
    let address = container.add().address();
    container.assert_connected(address);
    container.del().success();
    ground.assert_clean("a switch that was gone");
}

#[test]
fn results_have_the_shape_of_their_version() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    for version in VERSIONS {
        let container = ground.container("a").with("/cniVersion", json!(version));
        let result = container.add().success().clone();
        assert_eq!(result["cniVersion"], version);
        let [host, inside] = [&result["interfaces"][0], &result["interfaces"][1]];
        for interface in [host, inside] {
            let told = interface.get("mtu").is_some();
            assert_eq!(told, version == "1.1.0", "{version}: {interface}");
        }
        assert_eq!(inside["name"], "eth0", "{version}");
        assert_eq!(result["ips"][0]["interface"], 1, "{version}");
        if version != "0.3.1" {
            container.check(&result).success();
        }
        container.del().success();
        ground.assert_clean(version);
    }
}
