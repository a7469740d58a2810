//! Cases of the list behind a bridge: what the tests of `cases` say of macvlan holds here as well.

use std::path::Path;

use e2e::lan::{Lan, LanOptions};
use e2e::ovs::Ovs;
use e2e::plugin::Call;
use serde_json::json;

use super::nowhere;
use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE};

#[test]
fn case_18_and_19_a_namespace_that_is_none_or_the_nodes_own_makes_no_port() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = ground.container("a");
    for (path, code) in [
        (nowhere(), 3),
        (Path::new("/proc/self/ns/uts"), 8),
        (Path::new("/proc/self/ns/net"), 8),
        (ground.node().netns().path(), 8),
    ] {
        let call = Call {
            netns: Some(path),
            ..container.call_of("ADD")
        };
        let error = container.answer(&call).failure();
        assert_names(&error, code, &["CNI_NETNS"]);
        ground.assert_clean(&path.display().to_string());
    }
}

#[test]
fn case_26_a_path_that_leads_to_another_container_costs_that_nothing() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let [container, other] = ["a", "b"].map(|id| ground.container(id));
    container.add().success();
    let address = other.add().address();
    let call = Call {
        netns: Some(other.netns.path()),
        ..container.call_of("DEL")
    };
    // The second time with nothing known of the container at all.
    for _ in 0..2 {
        container.answer(&call).success();
        assert_eq!(container.netns.links(), [""; 0]);
        assert_eq!(ground.held(), [address]);
        assert_eq!(ground.ovs().ports().len(), 1);
        other.assert_connected(address);
    }
}

#[test]
fn case_27_del_goes_by_its_own_record_and_not_by_prev_result() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let [container, other] = ["a", "b"].map(|id| ground.container(id));
    container.add().success();
    let theirs = other.add();
    let address = theirs.address();
    // The result of another, in which its port and its address are.
    let container = container.with("/prevResult", theirs.json.clone());
    container.del().success();
    assert_eq!(container.netns.links(), [""; 0]);
    assert_eq!(ground.held(), [address]);
    other.assert_connected(address);
    other.check(&theirs.json).success();
    other.del().success();
    ground.assert_clean("another's result");
}

#[test]
fn case_42_and_44_gc_removes_ports_of_what_is_gone_and_no_other() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::switched(kind, WIDE);
        let [live, gone] = ["live", "gone"].map(|id| ground.container(id));
        let address = live.add().address();
        gone.add().success();
        drop(gone);
        let mut config = ground.config();
        config["disableGC"] = json!(true);
        crate::gc::gc(&ground, &config, &[]).success();
        assert_eq!(ground.held().len(), 2, "switched off");
        config["disableGC"] = json!(false);
        for _ in 0..2 {
            crate::gc::gc(&ground, &config, &[]).success();
            assert_eq!(ground.held(), [address]);
            assert_eq!(ground.ovs().ports().len(), 1);
            live.assert_connected(address);
        }
        live.del().success();
        ground.assert_clean("after GC");
    }
}

#[test]
fn case_51_an_mtu_that_cannot_work_is_code_7() {
    let options = LanOptions {
        mtu: 1400,
        ..LanOptions::default()
    };
    let mut ground = Ground::on(Lan::new(&options), Kind::Embedded, WIDE, 1);
    ground.ovs = Some(Ovs::start(ground.node()));
    for mtu in [-1, 67, 65536] {
        let container = ground.container("a").with("/mtu", json!(mtu));
        container.refused(7, &["mtu", &mtu.to_string()]);
    }
    // 0 means the bridge's, which has that of its ports.
    for (mtu, expected) in [(json!(null), 1400), (json!(0), 1400), (json!(1300), 1300)] {
        let container = ground.container("a").with("/mtu", mtu.clone());
        let reply = container.add();
        assert_eq!(reply.success()["interfaces"][1]["mtu"], expected, "{mtu}");
        container.assert_connected(reply.address());
        container.del().success();
    }
    ground.assert_clean("MTUs");
}

#[test]
fn case_52_a_hardware_address_that_cannot_work_or_is_anothers_is_code_7() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let asking = |id: &str, mac: &str| {
        let container = ground.container(id);
        container.with("/runtimeConfig", json!({"mac": mac}))
    };
    for mac in ["nonsense", "01:00:5e:00:00:01", "00:00:00:00:00:00", ""] {
        asking("a", mac).refused(7, &["mac", mac]);
    }
    let mac = "02:00:00:00:00:17";
    let first = asking("first", mac);
    let address = first.add().address();
    let second = asking("second", mac);
    assert_names(&second.add().failure(), 7, &["mac", mac]);
    assert_eq!(second.netns.links(), [""; 0]);
    assert_eq!(ground.held(), [address]);
    first.assert_connected(address);
    first.del().success();
    // It is free again.
    second.add().success();
    second.del().success();
    ground.assert_clean("hardware addresses");
}

/// The next sandbox of a pod asks for the same one, and the port of the last waits to be removed.
#[test]
fn case_52_and_55_a_port_that_waits_to_be_removed_is_nobodys() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let asking = |id: &str| {
        let container = ground.container(id);
        container.with("/runtimeConfig", json!({"mac": "02:00:00:00:00:17"}))
    };
    let old = asking("old");
    old.add().success();
    ground.ovs().kill_database();
    old.del().success();
    ground.ovs().start_database();
    ground.ovs().settle();
    assert_eq!(ground.ovs().ports().len(), 1, "it waits");
    let new = asking("new");
    let reply = new.add();
    new.assert_connected(reply.address());
    assert_eq!(ground.ovs().ports().len(), 1, "its own");
    new.del().success();
    ground.assert_clean("a port that waited");
}
