//! `cnictl explain` foretells what the next ADD does, and does nothing itself.

use std::fs;

use e2e::plugin::program;
use e2e::process;
use serde_json::{Value, json};

use crate::ground::{Ground, Kind, WIDE};

fn explain(ground: &Ground, config: &Value) -> Value {
    let file = ground.node().file("10-pods.conf");
    fs::write(&file, config.to_string()).expect("write the configuration");
    let mut command = ground.node().command(program("cnictl", "cnictl"));
    command.args(["explain", "-o", "json", "--conf"]).arg(file);
    serde_json::from_str(&process::output(&mut command)).expect("`explain` prints JSON")
}

/// What `explain` says, and whether it found a plan.
fn explained(ground: &Ground, config: &Value) -> (Value, String) {
    let file = ground.node().file("10-pods.conf");
    fs::write(&file, config.to_string()).expect("write the configuration");
    let mut command = ground.node().command(program("cnictl", "cnictl"));
    command.args(["explain", "-o", "json", "--conf"]).arg(file);
    let ran = command.output().expect("run cnictl");
    let said = serde_json::from_slice(&ran.stdout).expect("`explain` prints JSON");
    (said, String::from_utf8_lossy(&ran.stderr).into_owned())
}

/// Only that plugin knows, and it says so by giving.
#[test]
fn of_another_plugins_addresses_nothing_is_foretold() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let config = ground.config_with("/ipam", json!({"type": "host-local", "ranges": []}));
    let (said, _) = explained(&ground, &config);
    assert_eq!(said["error"]["code"], 7, "{said}");
    let message = said["error"]["message"].as_str().expect("a message");
    assert!(
        message.contains("ipam.type") && message.contains("host-local"),
        "{said}"
    );
    let remedy = said["error"]["remedy"].as_str().expect("a remedy");
    assert!(remedy.contains("that plugin gives the addresses"), "{said}");
    ground.assert_clean("after explain");
}

/// It does nothing, and both who explains and who does it say so.
#[test]
fn a_misspelt_field_is_told() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let mut config = ground.config_with("/conflictcheck", json!("always"));
    config["aliases"] = json!(["somebody else's"]);
    let named = |stderr: &str| {
        let told = stderr.contains("conflictcheck") && stderr.contains("\"conflictCheck\"");
        assert!(told && stderr.lines().count() == 1, "{stderr}");
    };
    let (said, stderr) = explained(&ground, &config);
    assert!(said["steps"].is_array(), "{said}");
    named(&stderr);
    let mut container = ground.container("a");
    container.config = config;
    let reply = container.add();
    reply.success();
    named(&reply.stderr);
    let reply = container.del();
    reply.success();
    assert_eq!(reply.stderr, "", "ADD alone says it");
    ground.assert_clean("a misspelt field");
}

#[test]
fn the_next_add_does_what_was_explained() {
    for ground in [
        Ground::new(Kind::Embedded, WIDE),
        Ground::new(Kind::Etcd, WIDE),
        Ground::switched(Kind::Embedded, WIDE),
    ] {
        let config = ground.config_with("/conflictCheck", json!("always"));
        // With and without a hint.
        for id in ["a", "b"] {
            let held = ground.held();
            let plan = explain(&ground, &config);
            assert_eq!(ground.held(), held, "nothing is claimed");
            let foretold = plan["addresses"][0]
                .as_str()
                .expect("an address")
                .to_owned();
            let steps: Vec<_> = plan["steps"].as_array().expect("steps").iter().collect();
            let says = |words: &str| {
                steps.iter().any(|step| {
                    step["step"]
                        .as_str()
                        .is_some_and(|step| step.contains(words))
                })
            };
            assert!(
                says(&format!("ask the LAN whether anybody has {foretold}/24")),
                "{plan:#}"
            );
            assert!(says("set route 0.0.0.0/0 by 10.20.1.1"), "{plan:#}");
            let container = ground.container(id);
            let reply = container.add();
            let result = reply.success();
            let given = result["ips"][0]["address"].as_str().expect("an address");
            // A node without beliefs looks into the store first, and may find another.
            let believes = says("as this node believes");
            assert_eq!(believes, id == "b", "{plan:#}");
            assert!(
                !believes || given == format!("{foretold}/24"),
                "{given}: {plan:#}"
            );
        }
    }
}
