//! Many interfaces, many networks, a plugin that is replaced: cases 79 to 83.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use e2e::plugin::{Call, Plugin};
use e2e::process::Daemon;
use serde_json::{Value, json};

use crate::ground::{Ground, Kind, WIDE};
use crate::records;

/// The plugin sees one network per call and cannot compare; but whose an attachment is includes
/// the network's name, so that networks of different names never meet.
#[test]
fn case_79_attachments_of_two_networks_are_apart() {
    let ground = Ground::new(
        Kind::Embedded,
        &["--subnet", "10.20.1.0/24", "--exclude", "10.20.1.1"],
    );
    let container = ground.container("a");
    let mut other = container.config.clone();
    other["name"] = json!("storage");
    let second = |verb: &'static str| Call {
        ifname: "net1",
        stdin: other.to_string().into_bytes(),
        ..container.call_of(verb)
    };
    let first = container.add().address();
    let storage = container.answer(&second("ADD")).address();
    assert_eq!(ground.holder(first).as_deref(), Some("n1/pods/a/eth0"));
    assert_eq!(ground.holder(storage).as_deref(), Some("n1/storage/a/net1"));
    container.answer(&second("DEL")).success();
    assert_eq!(ground.held(), [first]);
    container.assert_connected(first);
}

/// Each network has a gateway; the first interface's is the container's.
#[test]
fn the_first_of_two_default_routes_stands() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let call = |verb: &'static str| Call {
        ifname: "net1",
        ..container.call_of(verb)
    };
    let first = container.add();
    let second = container.answer(&call("ADD"));
    second.success();
    let routes = container.netns.ip_json(&["route", "show", "default"]);
    assert_eq!(routes.as_array().map(Vec::len), Some(1), "{routes}");
    assert_eq!(routes[0]["dev"], "eth0");
    container.check(&first.json).success();
    let mut config = container.config.clone();
    config["prevResult"] = second.json.clone();
    let stdin = config.to_string().into_bytes();
    container
        .answer(&Call {
            stdin,
            ..call("CHECK")
        })
        .success();
    container.answer(&call("DEL")).success();
    container.assert_connected(first.address());
    container.del().success();
    ground.assert_clean("two default routes");
}

/// An interface of one network is not another's to replace.
#[test]
fn case_79_an_interface_of_another_network_is_in_the_way() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let first = container.add().address();
    let container = container.with("/name", json!("storage"));
    let error = container.add().failure();
    assert_eq!(error.code, 4, "{error:?}");
    assert!(error.msg.contains("eth0"), "{error:?}");
    container.assert_connected(first);
    assert_eq!(ground.held(), [first]);
    container.with("/name", json!("pods")).del().success();
    ground.assert_clean("another network's ADD");
}

/// Container `x` with `y-eth0` and container `x-y` with `eth0` have the same letters in a row.
#[test]
fn ids_and_names_with_dashes_never_meet() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let [short, long] = ["x", "x-y"].map(|id| ground.container(id));
    let call = |verb: &'static str| Call {
        ifname: "y-eth0",
        ..short.call_of(verb)
    };
    let first = short.answer(&call("ADD")).address();
    let second = long.add().address();
    assert_ne!(first, second);
    assert_eq!(
        short.netns.addresses("y-eth0"),
        [first],
        "the first keeps its interface"
    );
    long.assert_connected(second);
    short.answer(&call("DEL")).success();
    long.assert_connected(second);
    long.del().success();
    ground.assert_clean("names with dashes");
}

#[test]
fn case_80_seventeen_interfaces_in_one_container() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let container = ground.container("a");
        // Only one of them can have the default route.
        records::change_pool(&ground, "prod", |pool| {
            pool.subnets
                .iter_mut()
                .for_each(|subnet| subnet.gateway = None);
        });
        let names: Vec<String> = (0..17).map(|n| format!("net{n}")).collect();
        let call = |verb: &'static str, name| Call {
            ifname: name,
            ..container.call_of(verb)
        };
        let given: BTreeSet<_> = names
            .iter()
            .map(|name| container.answer(&call("ADD", name)).address())
            .collect();
        assert_eq!(given.len(), 17);
        assert_eq!(ground.held().len(), 17);
        assert_eq!(container.netns.links().len(), 17);
        for name in &names {
            container.answer(&call("DEL", name)).success();
        }
        ground.assert_clean("seventeen interfaces");
    }
}

#[test]
fn case_81_one_container_joins_several_networks_at_once() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let container = ground.container("a");
        records::change_pool(&ground, "prod", |pool| {
            pool.subnets
                .iter_mut()
                .for_each(|subnet| subnet.gateway = None);
        });
        let networks: Vec<_> = (0..6)
            .map(|n| (format!("network{n}"), format!("net{n}")))
            .collect();
        let of = |name: &str| -> Value {
            let mut config = container.config.clone();
            config["name"] = json!(name);
            config
        };
        for verb in ["ADD", "DEL"] {
            let running: Vec<_> = networks
                .iter()
                .map(|(name, ifname)| {
                    let stdin = of(name).to_string().into_bytes();
                    let call = Call {
                        ifname,
                        stdin,
                        ..container.call_of(verb)
                    };
                    ground.plugin.start(container.node, &call)
                })
                .collect();
            for call in running {
                call.finish().success();
            }
            if verb == "ADD" {
                assert_eq!((ground.held().len(), container.netns.links().len()), (6, 6));
            }
        }
        ground.assert_clean("six networks at once");
    }
}

/// Installed by rename, a new program is there from one call to the next: no "text file busy".
#[test]
fn case_82_the_program_is_replaced_while_it_is_called() {
    let mut ground = Ground::new(Kind::Embedded, WIDE);
    let folder = ground.node().file("bin");
    fs::create_dir(&folder).expect("make a folder");
    let (installed, source) = (folder.join("berth"), ground.plugin.bin.clone());
    fs::copy(&source, &installed).expect("install");
    ground.plugin = Plugin::at(installed.clone());
    let replace = r#"while cp "$1" "$2.new" && mv "$2.new" "$2"; do :; done"#;
    let mut replacing = ground.node().command("/bin/sh");
    replacing
        .args(["-c", replace, "replace"])
        .args([&source, &installed]);
    let _replacing = Daemon::start(&mut replacing, &folder.join("log"));
    let mut programs = BTreeSet::new();
    for n in 0..10 {
        let container = ground.container(&format!("c{n}"));
        container.add().success();
        container.del().success();
        programs.insert(
            fs::metadata(&installed)
                .expect("the program is there")
                .ino(),
        );
    }
    assert!(programs.len() > 1, "it was replaced meanwhile");
    ground.assert_clean("a program that is replaced");
}

#[test]
fn case_83_a_container_without_a_pod_is_served() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("cnitool-77383ca0a0715733ca6f");
    let address = container.add().address();
    let shown = ground.cnictl(&["ip", "show", &address.to_string(), "-o", "json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["holder"]["pod"], Value::Null, "{shown}");
    assert_eq!(shown["state"], "held");
    // No call of anybody else's gives it away.
    let other = ground.container("other");
    other
        .add_with_args("K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u1")
        .success();
    other.del().success();
    container.assert_connected(address);
    assert_eq!(ground.held(), [address]);
}
