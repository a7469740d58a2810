//! Debian's plugins give the addresses.

use std::fs;

use e2e::debian;
use e2e::lan::UPLINK;
use serde_json::{Value, json};

use super::{assert_clean, container, given, ground, host_local};
use crate::container::assert_names;
use crate::ground::{Ground, Kind, NOTHING, WIDE, ip};

fn record(ground: &Ground, id: &str) -> Value {
    let path = ground
        .node()
        .file(&format!("run/attachments/{id}-eth0.json"));
    serde_json::from_slice(&fs::read(path).expect("a record")).expect("JSON")
}

#[test]
fn host_local_gives_the_address_and_the_store_knows_nothing_of_it() {
    for version in ["0.3.1", "0.4.0", "1.0.0"] {
        let ground = ground();
        let container = container(&ground, "a", &host_local(&ground));
        let container = container.with("/cniVersion", json!(version));
        let result = container.add().success().clone();
        assert_eq!(result["cniVersion"], version);
        assert_eq!(result["ips"][0]["address"], "10.20.1.50/24");
        assert_eq!(result["ips"][0]["gateway"], "10.20.1.1");
        assert_eq!(
            result["routes"],
            json!([{"dst": "0.0.0.0/0", "gw": "10.20.1.1"}])
        );
        assert_eq!(result["interfaces"][0]["mac"], "0a:58:0a:14:01:32");
        container.assert_connected(ip("10.20.1.50"));
        assert_eq!(given(&ground), ["10.20.1.50"], "version {version}");
        assert_eq!(ground.held(), NOTHING, "version {version}");
        let record = record(&ground, "a");
        assert!(record.get("revision").is_none(), "{record:#}");
        assert!(record["addresses"][0].get("record").is_none(), "{record:#}");
        assert_eq!(container.add().success(), &result, "ADD again");
        if version != "0.3.1" {
            container.check(&result).success();
        }
        container.del().success();
        container.del().success();
        assert_clean(&ground, version);
    }
}

#[test]
fn static_gives_both_families_with_routes_and_name_servers() {
    let ground = ground();
    debian::require_cni_plugin("static");
    let section = json!({
        "type": "static",
        "addresses": [
            {"address": "10.20.1.70/24", "gateway": "10.20.1.1"},
            {"address": "fd00:20::70/64", "gateway": "fd00:20::1"},
        ],
        "routes": [{"dst": "10.30.0.0/16", "gw": "10.20.1.9"}, {"dst": "::/0"}],
        "dns": {"nameservers": ["10.0.0.53"]},
    });
    let container = container(&ground, "a", &section);
    let result = container.add().success().clone();
    assert_eq!(result["dns"]["nameservers"], json!(["10.0.0.53"]));
    let mut seen = container.netns.addresses("eth0");
    seen.sort();
    assert_eq!(seen, [ip("10.20.1.70"), ip("fd00:20::70")]);
    let routes = |family: &str| container.netns.ip_json(&[family, "route"]).to_string();
    let four = routes("-4");
    assert!(four.contains("10.30.0.0/16"), "{four}");
    assert!(
        !four.contains("default"),
        "a gateway alone is no route: {four}"
    );
    assert!(routes("-6").contains("default"));
    container.check(&result).success();
    container.netns.ip(&["-6", "route", "del", "default"]);
    assert_names(&container.check(&result).failure(), 999, &["fd00:20::1"]);

    // The configuration's name servers are nearer than the plugin's.
    let other =
        super::container(&ground, "b", &section).with("/dns", json!({"nameservers": ["10.9.9.9"]}));
    let other = other.with("/ipam/addresses", json!([{"address": "10.20.1.71/24"}]));
    let other = other.with("/ipam/routes", json!([]));
    assert_eq!(
        other.add().success()["dns"]["nameservers"],
        json!(["10.9.9.9"])
    );
    for container in [container, other] {
        container.del().success();
    }
    ground.assert_clean("static");
}

/// The plugin would refuse to give the same container an address a second time.
#[test]
fn a_container_that_is_started_anew_under_its_id_gets_one_address() {
    let ground = ground();
    let first = container(&ground, "a", &host_local(&ground));
    first.add().success();
    let second = container(&ground, "a", &host_local(&ground));
    let address = second.add().address();
    assert_eq!(given(&ground), [address.to_string()]);
    assert_eq!(first.netns.links(), [""; 0], "the first life's interface");
    second.assert_connected(address);
    second.del().success();
    assert_clean(&ground, "second life");
}

#[test]
fn what_the_plugin_refuses_is_told_in_its_words_and_leaves_nothing() {
    let ground = ground();
    let full =
        json!([[{"subnet": "10.20.1.0/24", "rangeStart": "10.20.1.50", "rangeEnd": "10.20.1.50"}]]);
    let mut section = host_local(&ground);
    section["ranges"] = full;
    let first = container(&ground, "a", &section);
    first.add().success();
    let second = container(&ground, "b", &section);
    let error = second.add().failure();
    assert_names(&error, 999, &["host-local", "no IP addresses available"]);
    assert_eq!(second.netns.links(), [""; 0]);
    first.del().success();
    assert_clean(&ground, "a full range");
}

/// Limits, the port of a switch and the question to the LAN do not care who gave the address.
#[test]
fn a_port_of_a_switch_with_limits_works_with_host_local() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let section = host_local(&ground);
    let container = container(&ground, "a", &section)
        .with("/conflictCheck", json!("always"))
        .with("/gatewayCheck", json!(true))
        .with(
            "/runtimeConfig",
            json!({"bandwidth": {"ingressRate": 10_000_000}}),
        );
    let reply = container.add();
    container.assert_connected(reply.address());
    container.check(reply.success()).success();
    assert_eq!(ground.ovs().ports().len(), 1);
    container.del().success();
    assert_clean(&ground, "ovs");
}

#[test]
fn node_and_container_reach_each_other_with_host_local() {
    let ground = ground();
    let container = container(&ground, "a", &host_local(&ground)).with("/hostAccess", json!(true));
    let reply = container.add();
    let node = ground.node();
    assert!(node.netns().ping(reply.address()), "the node reaches it");
    assert!(
        container.netns.ping(node.address().into()),
        "it reaches the node"
    );
    container.check(reply.success()).success();
    // Everything follows from names, also the node's end.
    fs::remove_dir_all(node.file("run")).expect("lose the files");
    container.del().success();
    assert_clean(&ground, "hostAccess");
}

#[test]
fn an_address_that_somebody_has_on_the_wire_is_given_back() {
    let ground = ground();
    let elsewhere = ground.lan.netns();
    elsewhere.ip(&["address", "add", "10.20.1.50/32", "dev", "lo"]);
    let container =
        container(&ground, "a", &host_local(&ground)).with("/conflictCheck", json!("always"));
    let error = container.refused(103, &["10.20.1.50"]);
    assert!(!error.details.contains("left behind"), "{error:?}");
    assert_clean(&ground, "conflict");
}

#[test]
fn an_interface_that_fails_after_its_address_was_given_gives_it_back() {
    let ground = ground();
    let container = container(&ground, "a", &host_local(&ground));
    container
        .netns
        .ip(&["link", "add", "eth0", "type", "bridge"]);
    assert_names(&container.add().failure(), 4, &["CNI_IFNAME", "eth0"]);
    assert_clean(&ground, "taken name");
    let silent = super::container(&ground, "b", &host_local(&ground))
        .with("/gatewayCheck", json!(true))
        .with("/ipam/ranges/0/0/gateway", json!("10.20.1.9"));
    silent.refused(104, &["10.20.1.9", UPLINK]);
    assert_clean(&ground, "silent gateway");
}
