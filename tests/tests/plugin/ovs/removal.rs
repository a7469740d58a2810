//! DEL, whatever is lost: twice, without the namespace, without the node's files.

use std::path::Path;

use e2e::plugin::Call;
use serde_json::json;

use super::{lose, nowhere, port_of};
use crate::ground::{Ground, Kind, NARROW, WIDE};

#[test]
fn case_24_a_second_del_succeeds() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::switched(kind, WIDE);
        let container = ground.container("a");
        container.add().success();
        for netns in [Some(container.netns.path()), Some(Path::new("")), None] {
            let call = Call {
                netns,
                ..container.call_of("DEL")
            };
            container.answer(&call).success();
            ground.assert_clean("DEL, once more");
        }
        let running: Vec<_> = (0..4).map(|_| container.start("DEL")).collect();
        for del in running {
            del.finish().success();
        }
        ground.assert_clean("four DELs at once");
    }
}

/// What is lost before DEL comes, beside the namespace.
const LOSSES: &[(&str, &[&str])] = &[
    ("nothing", &[]),
    ("the run files", &["run"]),
    (
        "all the node's files but its store and identity",
        &["run", "state/hints"],
    ),
];

#[test]
fn case_25_del_without_a_namespace_removes_the_port_and_releases() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    for (case, folders) in LOSSES {
        for netns in [None, Some(Path::new("")), Some(nowhere())] {
            let container = ground.container("a");
            container.add().success();
            let (id, config) = (container.id.clone(), container.config.clone());
            // A reboot would take the veth as well, but not the port.
            drop(container);
            assert_eq!(ground.ovs().ports().len(), 1, "{case}");
            for folder in *folders {
                if ground.node().file(folder).exists() {
                    lose(&ground, folder);
                }
            }
            let call = Call::new("DEL", &id, netns, &config);
            ground.plugin.call(ground.node(), &call).success();
            ground.assert_clean(case);
        }
    }
}

#[test]
fn case_28_del_with_the_run_files_lost_removes_port_link_and_address() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::switched(kind, WIDE);
        for mac in [json!(null), json!("02:00:00:00:00:17")] {
            let container = ground.container("a");
            let container = if mac.is_null() {
                container
            } else {
                container.with("/runtimeConfig", json!({"mac": mac}))
            };
            container.add().success();
            lose(&ground, "run");
            container.del().success();
            assert_eq!(container.netns.links(), [""; 0], "{mac}");
            ground.assert_clean("run files lost");
        }
    }
}

#[test]
fn case_31_del_goes_by_the_record_when_the_configuration_has_changed() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    for (field, value) in [
        ("/bridge", json!("br-other")),
        ("/ovsdb", json!("/nonexistent/db.sock")),
        ("/ipam/pool", json!("gone")),
        ("/vlan", json!(9)),
        ("/mtu", json!(900)),
    ] {
        let container = ground.container("a");
        container.add().success();
        let container = container.with(field, value);
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{field}");
        ground.assert_clean(field);
    }
}

#[test]
fn the_link_or_the_port_may_be_gone_already() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    for gone in ["eth0", "the node's end", "the port"] {
        let container = ground.container("a");
        container.add().success();
        let port = port_of(&ground, &container);
        match gone {
            "eth0" => container.netns.ip(&["link", "del", "eth0"]),
            "the node's end" => ground.node().netns().ip(&["link", "del", &port]),
            _ => drop(ground.ovs().vsctl(&["del-port", &port])),
        }
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{gone}");
        ground.assert_clean(gone);
    }
}

#[test]
fn case_20_a_repeated_add_gives_the_same_answer_and_one_port() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::switched(kind, NARROW);
        let container = ground.container("a");
        let first = container.add();
        let port = port_of(&ground, &container);
        for _ in 0..2 {
            assert_eq!(container.add().success(), first.success());
            assert_eq!(ground.ovs().ports(), std::slice::from_ref(&port));
        }
        container.assert_connected(first.address());
        container.del().success();
        ground.assert_clean("a repeated ADD");
        ground.assert_no_leak(13);
    }
}

/// The runtime starts a container anew under its old id, in a fresh namespace.
#[test]
fn a_second_life_takes_the_place_of_the_first() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::switched(kind, NARROW);
        let first = ground.container("a");
        let address = first.add().address();
        let second = ground.container("a");
        assert_eq!(second.add().address(), address, "it keeps its address");
        assert_eq!(first.netns.links(), [""; 0]);
        assert_eq!(ground.ovs().ports().len(), 1);
        second.assert_connected(address);
        second.del().success();
        ground.assert_clean("a second life");
    }
}

/// The runtime's namespace went with the reboot, the database and the store did not.
#[test]
fn after_a_reboot_a_new_life_takes_the_place_of_the_old_port() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let first = ground.container("a");
    first.add().success();
    drop(first);
    lose(&ground, "run");
    assert_eq!(ground.ovs().ports().len(), 1);
    let second = ground.container("a");
    let address = second.add().address();
    assert_eq!(ground.ovs().ports().len(), 1);
    assert_eq!(ground.held(), [address]);
    second.assert_connected(address);
    second.del().success();
    ground.assert_clean("after a reboot");
}
