//! The VLAN sub-interface under a macvlan.

use std::fs;

use e2e::lan::UPLINK;
use serde_json::{Value, json};

use super::tagged::{SUB, Tagged};
use crate::container::assert_names;
use crate::doctor::doctor;
use crate::ground::{Ground, Kind, assert_node_clean};

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn the_sub_interface_is_made_once_shared_and_removed_with_its_last_user() {
    for way in ["configuration", "pool"] {
        let tagged = Tagged::new(Kind::Embedded);
        let container = |id: &str| match way {
            "pool" => tagged.by_pool(id, 120),
            _ => tagged.by_config(id),
        };
        let [first, second] = ["a", "b"].map(container);
        first.add().success();
        let made = tagged.link(SUB);
        assert_eq!(made["ifalias"], "berth-vlan");
        assert_eq!(made["group"], "default");
        assert_eq!(
            made["addr_info"],
            json!([]),
            "the node stays out of the VLAN"
        );
        tagged.assert_on(&first, SUB);
        second.add().success();
        assert_eq!(tagged.links(), [SUB], "shared: {way}");
        tagged.assert_on(&second, SUB);
        assert_eq!(tagged.link(SUB)["ifindex"], made["ifindex"]);
        let address = second.netns.addresses("eth0")[0];
        assert!(first.netns.ping(address), "within the VLAN: {way}");

        first.del().success();
        assert_eq!(tagged.links(), [SUB], "still used: {way}");
        tagged.assert_on(&second, SUB);
        second.del().success();
        tagged.ground.assert_clean(way);
    }
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn vlans_are_apart_and_so_is_the_untagged_lan() {
    let tagged = Tagged::new(Kind::Embedded);
    let containers = [
        tagged.by_pool("a", 120),
        tagged.by_pool("b", 130),
        tagged.ground.container("c"),
    ];
    for container in &containers {
        container.add().success();
    }
    let [a, b, c] = &containers;
    tagged.assert_on(a, SUB);
    tagged.assert_on(b, "uplink0.130");
    tagged.assert_on(c, UPLINK);
    // The same subnet on both sides: were the VLANs one, they would hear each other.
    a.netns
        .ip(&["address", "add", "10.99.0.1/24", "dev", "eth0"]);
    for other in [b, c] {
        other
            .netns
            .ip(&["address", "add", "10.99.0.2/24", "dev", "eth0"]);
        assert!(!a.netns.ping("10.99.0.2".parse().unwrap()));
        other
            .netns
            .ip(&["address", "del", "10.99.0.2/24", "dev", "eth0"]);
    }
    for container in &containers {
        container.del().success();
    }
    tagged.ground.assert_clean("three containers");
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn a_pool_that_gets_a_vlan_later_or_loses_it_is_followed() {
    let tagged = Tagged::new(Kind::Embedded);
    let guess = tagged.ground.node().file("run/tagged/pool-120");
    let [first, second] = ["a", "b"].map(|id| tagged.by_pool(id, 120));
    assert!(!guess.exists());
    first.add().success();
    assert!(guess.exists(), "the next one waits for the pool's word");
    tagged.assert_on(&first, SUB);
    second.add().success();
    tagged.assert_on(&second, SUB);
    // A wrong guess, as after a change of the pool.
    let wrong = tagged.ground.node().file("run/tagged/prod");
    fs::write(&wrong, "").unwrap();
    let plain = tagged.ground.container("c");
    plain.add().success();
    tagged.assert_on(&plain, UPLINK);
    assert_eq!(fs::read_to_string(&wrong).unwrap(), "untagged");
    for container in [first, second, plain] {
        container.del().success();
    }
    tagged.ground.assert_clean("guesses");
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn a_vlan_of_the_configuration_and_another_of_the_pool_are_refused_and_nothing_stays() {
    let tagged = Tagged::new(Kind::Embedded);
    let container = tagged.by_pool("a", 120).with("/vlan", json!(130));
    container.refused(7, &["vlan", "120", "130"]);
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn an_operators_sub_interface_is_used_under_any_name_and_never_removed() {
    let tagged = Tagged::new(Kind::Embedded);
    tagged.ip(&[
        "link", "add", "link", UPLINK, "name", "pods", "type", "vlan", "id", "120",
    ]);
    let container = tagged.by_config("a");
    let error = container.add().failure();
    assert_names(&error, 11, &["pods", "down"]);
    tagged.ip(&["link", "set", "pods", "up", "mtu", "1400"]);
    container.add().success();
    tagged.assert_on(&container, "pods");
    assert_eq!(container.netns.link("eth0").unwrap()["mtu"], 1400);
    container.del().success();
    assert_eq!(tagged.links(), ["pods"]);
    assert_eq!(tagged.link("pods").get("ifalias"), None);

    let error = container.with("/mtu", json!(1450)).add().failure();
    assert_names(&error, 7, &["mtu", "1450"]);
    assert!(error.details.contains("pods"), "{error:?}");
    assert_eq!(tagged.links(), ["pods"]);
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn another_vlan_protocol_or_parent_is_another_sub_interface() {
    let tagged = Tagged::new(Kind::Embedded);
    let ad = ["type", "vlan", "proto", "802.1ad", "id", "120"];
    let add = ["link", "add", "link", UPLINK, "name", SUB];
    tagged.ip(&[add.as_slice(), &ad].concat());
    tagged.ip(&["link", "set", SUB, "up"]);
    let container = tagged.by_config("a");
    container.add().success();
    let links = tagged.links();
    let ours = links.iter().find(|name| *name != SUB).expect("another one");
    assert!(ours.starts_with("upli") && ours.ends_with(".120"), "{ours}");
    tagged.assert_on(&container, ours);
    container.del().success();
    assert_eq!(tagged.links(), [SUB]);
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn a_name_that_is_taken_both_ways_is_said() {
    let tagged = Tagged::new(Kind::Embedded);
    tagged.ip(&["link", "add", SUB, "type", "bridge"]);
    let container = tagged.by_config("a");
    container.add().success();
    let other = tagged.links().into_iter().find(|name| name != SUB).unwrap();
    container.del().success();
    tagged.ip(&["link", "add", &other, "type", "bridge"]);
    let error = container.add().failure();
    assert_names(&error, 7, &["120", SUB, &other]);
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn ours_is_brought_up_again_and_given_the_mtu_asked_for() {
    let tagged = Tagged::new(Kind::Embedded);
    let [first, second] = ["a", "b"].map(|id| tagged.by_config(id));
    first.add().success();
    tagged.ip(&["link", "set", SUB, "mtu", "1400"]);
    tagged.ip(&["link", "set", SUB, "down"]);
    let second = second.with("/mtu", json!(1480));
    second.add().success();
    assert_eq!(tagged.link(SUB)["mtu"], 1480);
    tagged.assert_on(&second, SUB);
    let error = tagged
        .by_config("c")
        .with("/mtu", json!(9000))
        .add()
        .failure();
    assert_names(&error, 7, &["mtu", "9000"]);
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn what_somebody_else_uses_as_well_stays() {
    let tagged = Tagged::new(Kind::Embedded);
    let container = tagged.by_config("a");
    let uses: [(&[&str], &[&str]); 3] = [
        (
            &["address", "add", "10.21.1.200/24", "dev", SUB],
            &["address", "flush", "dev", SUB],
        ),
        (
            &[
                "link", "add", "link", SUB, "name", "inner", "type", "vlan", "id", "9",
            ],
            &["link", "del", "inner"],
        ),
        (
            &[
                "link", "add", "link", SUB, "name", "theirs", "type", "macvlan",
            ],
            &["link", "del", "theirs"],
        ),
    ];
    for (begin, end) in uses {
        container.add().success();
        tagged.ip(begin);
        container.del().success();
        assert!(tagged.links().contains(&SUB.to_owned()), "{begin:?}");
        tagged.ip(end);
        // A DEL that knows of nothing looks at all that are ours.
        container.del().success();
        tagged.ground.assert_clean(&format!("{begin:?}"));
    }
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn del_removes_it_with_the_namespace_gone_and_with_the_files_lost() {
    let tagged = Tagged::new(Kind::Embedded);
    let node = tagged.ground.node();
    let container = tagged.by_config("a");
    container.add().success();
    fs::remove_dir_all(node.file("run")).unwrap();
    container.del().success();
    assert_node_clean(node, "files lost");

    let gone = tagged.by_config("b");
    gone.add().success();
    let config = gone.config.clone();
    drop(gone);
    let call = e2e::plugin::Call::new("DEL", "b", Some(std::path::Path::new("")), &config);
    tagged.ground.plugin.call(node, &call).success();
    e2e::wait::until(
        std::time::Duration::from_secs(10),
        "the sub-interface goes",
        || {
            tagged.ground.plugin.call(node, &call).success();
            tagged.links().is_empty()
        },
    );
    tagged.ground.assert_clean("namespace gone");
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn the_record_and_a_repeated_add_name_the_sub_interface() {
    let tagged = Tagged::new(Kind::Embedded);
    let container = tagged.by_pool("a", 120);
    let first = container.add().success().clone();
    assert_eq!(*container.add().success(), first);
    let record = tagged.ground.node().file("run/attachments/a-eth0.json");
    let record: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    assert_eq!(record["link"]["master"], SUB);
    assert_eq!(record["link"]["vlan"], 120);
    container.check(&first).success();
}

#[test]
#[ignore = "needs Debian's kernel: runs in ./test.sh vm"]
fn a_master_that_carries_no_vlans_is_named() {
    let ground = Ground::new(Kind::Embedded, crate::ground::WIDE);
    // The module is there once anybody asked for a VLAN.
    let lo = ground.container("a").with("/master", json!("lo"));
    let error = lo.with("/vlan", json!(120)).add().failure();
    assert_names(&error, 7, &["vlan", "120", "lo"]);
    ground.assert_clean("no VLANs on lo");
}

/// Before the first container, when an operator wants to know whether the trunk carries the VLAN.
#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn doctor_asks_a_vlans_gateway_with_and_without_its_sub_interface() {
    let tagged = Tagged::new(Kind::Embedded);
    let container = tagged.by_pool("a", 120);
    let config = tagged.ground.config_with("/ipam/pool", json!("pool-120"));
    for stands in [false, true] {
        if stands {
            container.add().success();
        }
        let links = tagged.links();
        let diagnosis = doctor(&tagged.ground, &config);
        diagnosis.assert("gateway", "ok", &["10.21.1.1", "VLAN 120"]);
        assert_eq!(tagged.links(), links);
    }
    container.del().success();
    let lan = tagged.ground.lan.netns();
    lan.ip(&["link", "set", "br0.120", "down"]);
    let silent = doctor(&tagged.ground, &config);
    silent.assert("gateway", "warning", &["10.21.1.1", "VLAN 120"]);
    tagged.ground.assert_clean("doctor");
}
