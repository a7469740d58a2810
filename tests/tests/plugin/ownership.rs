//! Whose interface it is: DEL takes its own away, wherever that is, and nobody else's.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::plugin::Call;
use e2e::process::Daemon;
use serde_json::{Value, json};

use crate::container::{Container, assert_names};
use crate::ground::{Ground, Kind, WIDE, set};

/// DEL when the runtime has no namespace to name any more.
fn del_without_netns<'a>(container: &'a Container<'_>) -> Call<'a> {
    Call {
        netns: None,
        ..container.call_of("DEL")
    }
}

fn record_of(ground: &Ground, id: &str) -> PathBuf {
    ground
        .node()
        .file(&format!("run/attachments/{id}-eth0.json"))
}

/// The refused network's clean-up must not end the one that stands.
#[test]
fn a_del_of_another_network_leaves_the_interface_that_stands() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let address = container.add().address();
    let mut other = container.config.clone();
    set(&mut other, "/name", json!("other"));
    let call = |command| Call {
        stdin: other.to_string().into_bytes(),
        ..container.call_of(command)
    };
    assert_names(&container.answer(&call("ADD")).failure(), 4, &["eth0"]);
    container.answer(&call("DEL")).success();
    container.assert_connected(address);
    assert_eq!(ground.held(), [address]);
    container.del().success();
    ground.assert_clean("its own DEL");
}

/// The path of the ADD is gone, but the namespace lives on where DEL says.
#[test]
fn a_namespace_that_moved_is_found_where_the_call_says() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let mut sleeper = container.netns.command("sleep");
    let sleeper = Daemon::start(sleeper.arg("60"), &ground.node().file("sleeper.log"));
    let path = PathBuf::from(format!("/proc/{}/ns/net", sleeper.pid()));
    let call = Call {
        netns: Some(&path),
        ..container.call_of("ADD")
    };
    container.answer(&call).success();
    drop(sleeper);
    container.del().success();
    assert_eq!(container.netns.links(), [""; 0]);
    ground.assert_clean("a namespace that moved");
}

fn lost_record_and_no_netns(kind: Kind) {
    let ground = Ground::new(kind, WIDE);
    let container = ground.container("a");
    container.add().success();
    fs::remove_dir_all(ground.node().file("run")).expect("lose runDir");
    container.answer(&del_without_netns(&container)).success();
    assert_eq!(container.netns.links(), [""; 0]);
    ground.assert_clean("no record and no namespace named");
}

#[test]
fn with_no_record_and_no_namespace_named_the_store_tells_where_it_is_embedded() {
    lost_record_and_no_netns(Kind::Embedded);
}

#[test]
fn with_no_record_and_no_namespace_named_the_store_tells_where_it_is_etcd() {
    lost_record_and_no_netns(Kind::Etcd);
}

/// As a full disk leaves it: the pod must not be stuck for it.
#[test]
fn a_damaged_record_counts_as_lost_and_a_later_releases_does_not() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    for damaged in ["", "x", r#"{"v":1}"#] {
        let address = container.add().address();
        let record = record_of(&ground, "a");
        fs::write(&record, r#"{"v":2}"#).expect("write a newer record");
        assert_names(
            &container.del().failure(),
            999,
            &["a-eth0.json", "version 2"],
        );
        container.assert_connected(address);
        fs::write(&record, damaged).expect("damage the record");
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{damaged:?}");
        ground.assert_clean("a damaged record");
    }
}

/// A macvlan that somebody else made, with a hardware address that could be ours.
#[test]
fn a_foreign_macvlan_is_left_alone_whatever_address_it_bears() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    for mac in ["0e:12:34:56:78:9a", "0a:58:0a:14:01:63"] {
        let link = format!("link add fm0 link uplink0 address {mac} type macvlan mode bridge");
        let words: Vec<_> = link.split(' ').collect();
        ground.node().netns().ip(&words);
        let target = container.netns.path().display().to_string();
        ground
            .node()
            .netns()
            .ip(&["link", "set", "fm0", "netns", &target]);
        container.netns.ip(&["link", "set", "fm0", "name", "eth0"]);
        container.del().success();
        assert_eq!(container.netns.links(), ["eth0"], "{mac}");
        container.netns.ip(&["link", "delete", "eth0"]);
    }
}

/// The kernel gives a namespace that is gone's inode number to the next one.
#[test]
fn a_record_that_leads_to_anothers_namespace_takes_nothing_from_it() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let [gone, next] = ["gone", "next"].map(|id| ground.container(id));
    gone.add().success();
    let address = next.add().address();
    gone.netns.ip(&["link", "delete", "eth0"]);
    let (path, inode) = (next.netns.path(), next.netns.inode());
    lead(&record_of(&ground, "gone"), path, inode);
    gone.answer(&del_without_netns(&gone)).success();
    next.assert_connected(address);
    assert_eq!(ground.held(), [address]);
}

fn lead(record: &Path, path: &Path, inode: u64) {
    let text = fs::read_to_string(record).expect("a record");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["netns"] = json!({"path": path, "inode": inode});
    fs::write(record, value.to_string()).expect("write");
}

/// A restart that fails keeps what is known of the life before it.
#[test]
fn an_add_that_fails_after_an_earlier_life_leaves_it_to_del() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    container.add().success();
    let mut again = ground
        .container("a-again")
        .with("/ipam/pool", json!("nowhere"));
    "a".clone_into(&mut again.id);
    assert_names(&again.add().failure(), 7, &["nowhere"]);
    assert!(record_of(&ground, "a").is_file(), "the record is gone");
    again.del().success();
    ground.assert_clean("a failed restart");
}
