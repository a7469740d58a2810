//! Chains at every version of the specification that both sides speak.

use std::collections::BTreeSet;

use e2e::plugin::{Call, Plugin};
use serde_json::{Value, json};

use super::after::{mappings, portmap, tuning};
use super::{Chain, drivers};
use crate::ground::Ground;
use crate::schema::VERSIONS;

/// What the plugin `kind` of Debian's says to VERSION.
fn spoken_by(ground: &Ground, kind: &str) -> BTreeSet<String> {
    let question = Call {
        command: "VERSION",
        stdin: br#"{"cniVersion": "1.0.0"}"#.to_vec(),
        ..Call::default()
    };
    let reply = Plugin::reference(kind).call(ground.node(), &question);
    let versions = reply.success()["supportedVersions"].as_array().cloned();
    let text = |version: Value| version.as_str().expect("a version").to_owned();
    versions.expect("a list").into_iter().map(text).collect()
}

#[test]
fn a_chain_works_at_every_version_that_its_plugins_speak() {
    for (driver, ground) in drivers() {
        let kinds = ["tuning", "portmap", "sbr"];
        let spoken = kinds.map(|kind| spoken_by(&ground, kind));
        for version in VERSIONS {
            let others = vec![tuning(ground.node()), portmap(), json!({"type": "sbr"})];
            let mut chain = Chain::new(&ground, others);
            (chain.version, chain.runtime) = (version, mappings());
            let container = ground.container("a");
            let added = chain.add(&container, "eth0");
            if spoken.iter().all(|versions| versions.contains(version)) {
                let result = added.expect(version);
                assert_eq!(result["cniVersion"], version);
                if version >= "0.4.0" {
                    chain.check(&container, "eth0", &result);
                }
                container.assert_connected(ground.held()[0]);
                chain.del(&container, "eth0", Some(&result));
            } else {
                // Theirs, not ours: Debian 12 has them as of before 1.1.0.
                assert_eq!(version, "1.1.0", "every other one is spoken");
                let broken = added.expect_err(version);
                assert_ne!(broken.kind, "berth");
                assert_eq!(broken.reply.failure().code, 1, "{broken:?}");
                container.del().success();
            }
            assert_eq!(container.netns.links(), [""; 0], "{driver} at {version}");
            ground.assert_clean(&format!("{driver} at {version}"));
        }
    }
}
