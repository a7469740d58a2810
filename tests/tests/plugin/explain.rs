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
