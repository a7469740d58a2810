//! GC: what the runtime no longer has and what is gone is freed; nothing else ever is.

use std::fs;

use e2e::lan::Node;
use e2e::plugin::{Call, Plugin, Reply};
use serde_json::{Value, json};

use crate::container::{Container, assert_names};
use crate::delegated;
use crate::ground::{Ground, Kind, NARROW, WIDE, files, set};
use crate::records;

/// GC of the first node with those containers' `eth0` on the list.
pub(crate) fn gc(ground: &Ground, config: &Value, valid: &[&str]) -> Reply {
    gc_with(&ground.plugin, ground.node(), config, valid)
}

/// The same with a plugin of the test's choice.
pub(crate) fn gc_with(plugin: &Plugin, node: &Node, config: &Value, valid: &[&str]) -> Reply {
    let entry = |id: &&str| json!({"containerID": id, "ifname": "eth0"});
    let list: Value = valid.iter().map(entry).collect();
    let mut config = config.clone();
    // libcni sends both.
    set(&mut config, "/cni.dev~1valid-attachments", list.clone());
    set(&mut config, "/cni.dev~1attachments", list);
    call(plugin, node, &config)
}

fn call(plugin: &Plugin, node: &Node, config: &Value) -> Reply {
    let reply = plugin.call(node, &Call::new("GC", "", None, config));
    assert!(
        !reply.status.success() || reply.stdout.is_empty(),
        "{reply:#?}"
    );
    reply
}

/// The container ends without a DEL; its configuration is left.
fn lose(container: Container<'_>) -> Value {
    let Container { config, .. } = container;
    config
}

/// The times at which GC saw what only the store tells of are set back to the machine's start.
fn age(ground: &Ground) {
    let path = ground.node().file("run/gc/pods.json");
    let text = fs::read(&path).expect("GC wrote down what it saw");
    let mut record: Value = serde_json::from_slice(&text).expect("JSON");
    let seen = record["seen"].as_object_mut().expect("a map");
    for at in seen.values_mut() {
        at[1] = json!(0);
    }
    fs::write(&path, record.to_string()).expect("set the times back");
}

#[test]
fn case_42_an_empty_list_frees_what_is_gone_and_nothing_that_lives() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let [live, gone] = ["live", "gone"].map(|id| ground.container(id));
        let address = live.add().address();
        gone.add().success();
        let config = lose(gone);
        gc(&ground, &config, &[]).success();
        assert_eq!(ground.held(), [address]);
        live.assert_connected(address);
        assert_eq!(
            files(&ground.node().file("run/attachments")),
            ["live-eth0.json"]
        );
        gc(&ground, &config, &[]).success();
        live.assert_connected(address);
        live.del().success();
        ground.assert_clean("after GC");
    }
}

#[test]
fn what_is_on_the_list_is_kept_even_when_it_is_gone() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let address = container.add().address();
    let config = lose(container);
    gc(&ground, &config, &["a", "b"]).success();
    assert_eq!(ground.held(), [address]);
    gc(&ground, &config, &["b"]).success();
    ground.assert_clean("off the list");
}

#[test]
fn an_interface_that_is_gone_from_a_namespace_that_lives_is_freed() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    container.add().success();
    container.netns.ip(&["link", "del", "eth0"]);
    gc(&ground, &container.config, &[]).success();
    ground.assert_clean("its interface was gone");
}

#[test]
fn case_43_either_name_of_the_list_is_heard_or_both() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for names in [
        &["cni.dev/valid-attachments"][..],
        &["cni.dev/attachments"],
        &["cni.dev/valid-attachments", "cni.dev/attachments"],
    ] {
        let container = ground.container("a");
        let address = container.add().address();
        let mut config = lose(container);
        for name in names {
            config[*name] = json!([{"containerID": "a", "ifname": "eth0"}]);
        }
        call(&ground.plugin, ground.node(), &config).success();
        assert_eq!(ground.held(), [address], "{names:?}");
        for name in names {
            config[*name] = Value::Null;
        }
        call(&ground.plugin, ground.node(), &config).success();
        ground.assert_clean(&format!("{names:?}"));
    }
}

#[test]
fn case_43_a_list_that_cannot_be_read_frees_nothing() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let address = container.add().address();
    let mut config = lose(container);
    config["cni.dev/valid-attachments"] = json!([{"containerID": "b/c", "ifname": "eth0"}]);
    let error = call(&ground.plugin, ground.node(), &config).failure();
    assert_names(&error, 7, &["cni.dev/valid-attachments", "b/c"]);
    assert_eq!(ground.held(), [address]);
}

#[test]
fn case_44_a_network_with_gc_switched_off_is_left_alone() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let address = container.add().address();
    let mut config = lose(container);
    config["disableGC"] = json!(true);
    gc(&ground, &config, &[]).success();
    assert_eq!(ground.held(), [address]);
    config["disableGC"] = json!(false);
    gc(&ground, &config, &[]).success();
    ground.assert_clean("switched on again");
}

/// Another runtime's container, on a network of its own or on this one, is its business.
#[test]
fn case_44_another_runtimes_containers_are_kept_while_they_live() {
    let ground = Ground::with_nodes(Kind::Etcd, WIDE, 2);
    let other = ground.container_on(&ground.nodes[1], "x");
    let storage = ground.container("y").with("/name", json!("storage"));
    let kept = [other.add().address(), storage.add().address()];
    let config = ground.config();
    gc(&ground, &config, &[]).success();
    // Their namespaces are gone, but they are another node's and another network's.
    drop((other, storage));
    gc(&ground, &config, &[]).success();
    let mut held = ground.held();
    held.sort();
    let mut kept = kept.to_vec();
    kept.sort();
    assert_eq!(held, kept);
}

#[test]
fn case_45_what_cannot_be_ended_is_one_error_and_the_others_are_ended() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let containers: Vec<_> = ["a", "b", "c"].map(|id| ground.container(id)).into();
    for container in &containers {
        container.add().success();
    }
    let config = ground.config();
    drop(containers);
    // Nobody can take the lock of this one.
    let lock = ground.node().file("run/intents/b-eth0.json");
    fs::create_dir_all(&lock).expect("a folder in the lock's place");
    let error = gc(&ground, &config, &[]).failure();
    assert_names(&error, 5, &["1 of 3", "n1/pods/b/eth0"]);
    assert_eq!(ground.held().len(), 1);
    fs::remove_dir(&lock).expect("remove the folder");
    gc(&ground, &config, &[]).success();
    ground.assert_clean("the next GC");
}

/// GC without a list, over and over, while containers come and go.
#[test]
fn case_46_gc_at_the_same_time_as_adds_takes_nothing_from_them() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        for round in 0..4 {
            let containers: Vec<_> = (0..8)
                .map(|n| ground.container(&format!("c{round}-{n}")))
                .collect();
            let adds: Vec<_> = containers.iter().map(|c| c.start("ADD")).collect();
            let sweeps: Vec<_> = (0..4)
                .map(|_| {
                    let call = Call::new("GC", "", None, &ground.config());
                    ground.plugin.start(ground.node(), &call)
                })
                .collect();
            let given: Vec<_> = adds.into_iter().map(|add| add.finish().address()).collect();
            for sweep in sweeps {
                sweep.finish().success();
            }
            for (container, address) in containers.iter().zip(&given) {
                container.assert_connected(*address);
            }
            assert_eq!(ground.held().len(), 8);
            for container in &containers {
                container.del().success();
            }
        }
        ground.assert_clean("GC beside ADDs");
    }
}

/// With the node's files lost, only the store tells of an attachment: its age decides as well.
#[test]
fn case_46_what_only_the_store_tells_of_is_freed_once_it_is_old() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let [live, gone] = ["live", "gone"].map(|id| ground.container(id));
        let address = live.add().address();
        gone.add().success();
        fs::remove_dir_all(ground.node().file("run")).expect("lose the files");
        let config = lose(gone);
        for _ in 0..2 {
            gc(&ground, &config, &[]).success();
            assert_eq!(ground.held().len(), 2, "too young");
        }
        age(&ground);
        gc(&ground, &config, &[]).success();
        assert_eq!(ground.held(), [address]);
        live.assert_connected(address);
        age(&ground);
        gc(&ground, &config, &[]).success();
        live.assert_connected(address);
        live.del().success();
        ground.assert_clean("files lost");
    }
}

#[test]
fn with_the_store_away_nothing_is_touched_and_the_next_gc_goes_on_etcd() {
    let mut ground = Ground::new(Kind::Etcd, WIDE);
    ground.patience_ms = 500;
    let container = ground.container("a");
    container.add().success();
    let config = lose(container);
    let cut_off = ground.cut_off();
    assert_eq!(gc(&ground, &config, &[]).failure().code, 11);
    drop(cut_off);
    assert_eq!(ground.held().len(), 1);
    gc(&ground, &config, &[]).success();
    ground.assert_clean("the store is back");
}

#[test]
fn files_of_calls_that_were_killed_before_they_began_are_removed() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let intents = ground.node().file("run/intents");
    fs::create_dir_all(&intents).expect("make the folder");
    fs::write(intents.join("a-net%2d1.json"), "").expect("an empty intent");
    gc(&ground, &ground.config(), &["a"]).success();
    assert_eq!(files(&intents), [""; 0]);
}

fn delegated_gc(kind: Kind) {
    let ground = delegated::under("macvlan", kind, WIDE);
    let program = e2e::plugin::program("berth-ipam", "berth-cni");
    let ipam = Plugin::at(program);
    let [live, down, gone] = ["live", "down", "gone"].map(|id| {
        let main = json!({"type": "macvlan", "master": e2e::lan::UPLINK, "mode": "bridge"});
        delegated::container_of(&ground, ground.node(), id, &main)
            .with("/cniVersion", json!("1.0.0"))
    });
    let mut given: Vec<_> = [&live, &down].map(|c| c.add().address()).into();
    gone.add().success();
    down.netns.ip(&["link", "set", "eth0", "down"]);
    let mut config = lose(gone);
    config["cniVersion"] = json!("1.1.0");
    gc_with(&ipam, ground.node(), &config, &[]).success();
    given.sort();
    assert_eq!(ground.held(), given);
    live.del().success();
    down.del().success();
    ground.assert_clean("GC of a delegated plugin");
}

#[test]
fn a_delegated_plugin_frees_what_is_gone_and_nothing_else_embedded() {
    delegated_gc(Kind::Embedded);
}

#[test]
fn a_delegated_plugin_frees_what_is_gone_and_nothing_else_etcd() {
    delegated_gc(Kind::Etcd);
}

#[test]
fn gc_leaves_the_whole_pool_usable() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let containers: Vec<_> = (0..13)
        .map(|n| ground.container(&format!("c{n}")))
        .collect();
    for container in &containers {
        container.add().success();
    }
    drop(containers);
    gc(&ground, &ground.config(), &[]).success();
    ground.assert_no_leak(13);
    assert!(records::attachments(&ground).is_empty());
}
