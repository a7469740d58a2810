//! DEL of what is not there, not known, or not ours: cases 23 to 28 and 30. More is in `del`.

use std::fs;
use std::path::Path;

use e2e::plugin::Call;
use serde_json::{Value, json};

use crate::ground::{Ground, Kind, NARROW, WIDE, set, waiting};

#[test]
fn case_23_del_of_an_unknown_container_succeeds() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let container = ground.container("nobody");
        container
            .netns
            .ip(&["link", "add", "eth0", "type", "bridge"]);
        container.del().success();
        assert_eq!(
            container.netns.links(),
            ["eth0"],
            "what is there is not ours"
        );
        ground.assert_clean("an unknown container");
    }
}

#[test]
fn case_24_a_second_del_succeeds_and_spares_an_address_that_is_used_again() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, NARROW);
        let ips = json!({"ips": ["10.20.1.9"]});
        let [first, second] =
            ["first", "second"].map(|id| ground.container(id).with("/runtimeConfig", ips.clone()));
        let result = first.add().success().clone();
        first.del().success();
        let address = second.add().address();
        let config = first.config.clone();
        let late = first.with("/prevResult", result);
        for _ in 0..2 {
            late.del().success();
            // As containerd's second DEL.
            late.answer(&Call {
                netns: Some(Path::new("")),
                ..late.call_of("DEL")
            })
            .success();
        }
        assert_eq!(config["ipam"], late.config["ipam"]);
        assert_eq!(
            ground.holder(address).as_deref(),
            Some("n1/pods/second/eth0")
        );
        second.assert_connected(address);
    }
}

#[test]
fn case_24_dels_at_once_all_succeed() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let container = ground.container("a");
        container.add().success();
        let running: Vec<_> = (0..6).map(|_| container.start("DEL")).collect();
        for del in running {
            del.finish().success();
        }
        assert_eq!(container.netns.links(), [""; 0]);
        ground.assert_clean("six DELs at once");
    }
}

#[test]
fn case_25_del_without_a_namespace_releases_at_once() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        for (case, netns) in [
            ("no CNI_NETNS", None),
            ("an empty CNI_NETNS", Some(Path::new(""))),
            ("a path that leads nowhere", Some(Path::new("/nonexistent"))),
        ] {
            let container = ground.container("a");
            container.add().success();
            let call = Call {
                netns,
                ..container.call_of("DEL")
            };
            container.answer(&call).success();
            assert_eq!(
                container.netns.links(),
                [""; 0],
                "the namespace is known: {case}"
            );
            ground.assert_clean(case);

            let container = ground.container("b");
            container.add().success();
            let (id, config) = (container.id.clone(), container.config.clone());
            // A reboot: the namespace is gone.
            drop(container);
            let call = Call::new("DEL", &id, netns, &config);
            ground.plugin.call(ground.node(), &call).success();
            ground.assert_clean(case);
        }
    }
}

#[test]
fn case_27_del_goes_by_its_own_record_and_not_by_prev_result() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let other = ground.container("other");
    let others = other.add();
    let old = json!({
        "cniVersion": "0.3.1",
        "interfaces": [{"name": "eth0"}],
        "ips": [{"version": "4", "address": "10.20.1.77/24", "interface": 0}],
    });
    for result in [
        json!(null),
        json!({}),
        json!("nonsense"),
        json!([]),
        old,
        others.json.clone(),
    ] {
        let container = ground.container("a");
        container.add().success();
        let container = container.with("/prevResult", result.clone());
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{result}");
        assert_eq!(ground.held(), [others.address()], "{result}");
    }
    other.assert_connected(others.address());
}

#[test]
fn case_28_del_releases_also_when_the_nodes_files_are_lost() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        for (case, lost) in [("runDir", "run"), ("the record alone", "run/attachments")] {
            case_28(kind, case, &[lost]).assert_clean(case);
        }
        // The node's identity is lost with its state; what its record remembers is its own.
        case_28(kind, "stateDir", &["state"]).assert_clean("stateDir");
    }
}

/// Without identity and record nothing says whose the address is: it stays held, the name taken,
/// until an operator says that this is the same node.
#[test]
fn case_76_a_node_that_lost_everything_frees_nothing_by_its_name() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = case_28(kind, "both", &["run", "state"]);
        assert_eq!(ground.held().len(), 1);
        let error = ground.container("b").add().failure();
        assert_eq!(error.code, 7, "{error:?}");
        assert!(error.msg.contains("another machine"), "{error:?}");
    }
}

fn case_28(kind: Kind, case: &str, lost: &[&str]) -> Ground {
    let ground = Ground::new(kind, WIDE);
    let container = ground.container("a");
    container.add().success();
    for folder in lost {
        fs::remove_dir_all(ground.node().file(folder)).expect("remove a folder");
    }
    container.del().success();
    assert_eq!(container.netns.links(), [""; 0], "{case}");
    ground
}

/// go-cni takes a DEL whose error says "not found" for a success.
#[test]
fn case_30_an_error_of_del_never_says_not_found() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let file = ground.node().file("file");
    fs::write(&file, "").expect("write a file");
    let broken = [
        ("/name", Value::Null),
        ("/master", Value::Null),
        ("/cniVersion", json!("9.9.9")),
        ("/runDir", json!(file)),
        ("/stateDir", json!(file)),
    ];
    for (pointer, value) in broken {
        let mut config = container.config.clone();
        set(&mut config, pointer, value);
        let stdin = config.to_string().into_bytes();
        let error = container
            .answer(&Call {
                stdin,
                ..container.call_of("DEL")
            })
            .failure();
        let said = format!("{error:?}").to_lowercase();
        assert!(!said.contains("not found"), "{said}");
    }
}

/// The interface goes all the same, and the release waits.
#[test]
fn del_with_a_store_that_cannot_be_opened_notes_the_release() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let file = ground.node().file("file");
    fs::write(&file, "").expect("write a file");
    for (n, store) in [json!(file), json!("/proc/nowhere")]
        .into_iter()
        .enumerate()
    {
        let container = ground.container(&format!("c{n}"));
        container.add().success();
        let container = container.with("/ipam/store", json!({ "embedded": store }));
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0]);
        assert_eq!(waiting(ground.node()).len(), n + 1, "releases that wait");
    }
}
