//! What an ADD makes: veth, port, tag and who reaches whom.

use std::net::IpAddr;

use e2e::ovs::BRIDGE;
use serde_json::json;

use super::port_of;
use crate::container::{Container, assert_names};
use crate::families::{BOTH, addresses, six_gateway};
use crate::ground::{GATEWAY, Ground, Kind, WIDE, ip};

#[test]
fn an_interface_and_its_port_are_as_the_result_says() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::switched(kind, WIDE);
        let container = ground.container("a").of_pod("web-0", "u1");
        let reply = container.add();
        let result = reply.success();
        let port = port_of(&ground, &container);

        let [host, inside] = [&result["interfaces"][0], &result["interfaces"][1]];
        let end = ground.node().netns().link(&port).expect("the node's end");
        assert_eq!(host["name"], json!(port));
        assert_eq!(host["mac"], end["address"]);
        assert!(host["sandbox"].is_null(), "{host}");
        let link = container.netns.link("eth0").expect("eth0");
        assert_eq!(inside["name"], "eth0");
        assert_eq!(inside["mac"], link["address"]);
        assert_eq!(inside["sandbox"], json!(container.netns.path()));
        assert_eq!(result["ips"][0]["interface"], 1);
        assert_eq!((&link["mtu"], &end["mtu"]), (&json!(1500), &json!(1500)));

        let ids = |key| ground.ovs().external_id(&port, key);
        assert_eq!(ids("container").as_deref(), Some("a"));
        assert_eq!(ids("ifname").as_deref(), Some("eth0"));
        assert_eq!(ids("attachment").as_deref(), Some("n1/pods/a/eth0"));
        assert_eq!(ids("namespace").as_deref(), Some("shop"));
        assert_eq!(ids("pod").as_deref(), Some("web-0"));
        assert!(ids("incarnation").is_some());
        // An empty set: frames without a tag.
        assert_eq!(
            ground.ovs().column("Port", &port, "tag"),
            json!(["set", []])
        );
        let ofport = ground.ovs().column("Interface", &port, "ofport");
        assert!(ofport.as_i64().is_some_and(|n| n >= 1), "{ofport}");

        container.assert_connected(reply.address());
        assert!(container.netns.ping(GATEWAY));
        container.check(result).success();
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0]);
        ground.assert_clean("after DEL");
    }
}

#[test]
fn every_family_is_served() {
    let ground = Ground::switched(Kind::Embedded, BOTH);
    for gateway in ["fd00:20::1/112", "fd00:21::1/112"] {
        six_gateway(&ground, gateway);
    }
    let six = ["--subnet", "fd00:21::/112", "--gateway", "fd00:21::1"];
    ground.create_pool("six", &six);
    for (pool, families) in [("prod", 2), ("six", 1)] {
        let container = ground.container(pool).with("/ipam/pool", json!(pool));
        let reply = container.add();
        let given = addresses(reply.success());
        assert_eq!(given.len(), families, "{pool}: {given:?}");
        assert!(given.iter().any(IpAddr::is_ipv6), "{pool}: {given:?}");
        container.assert_reached(&given);
        container.check(&reply.json).success();
        assert_eq!(container.add().json, reply.json, "repeated");
        container.del().success();
        ground.assert_clean(pool);
    }
}

/// Whether one ping is answered within a third of a second.
fn hears(from: &Container<'_>, to: IpAddr) -> bool {
    let mut once = from.netns.command("/bin/ping");
    once.args(["-n", "-q", "-c", "1", "-W", "0.3", &to.to_string()]);
    once.output().expect("start ping").status.success()
}

#[test]
fn containers_of_one_vlan_reach_each_other_and_nobody_else() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let of = |id: &str, vlan: u16| ground.container(id).with("/vlan", json!(vlan));
    let [a, b, other] = [of("a", 7), of("b", 7), of("other", 4094)];
    let untagged = ground.container("untagged");
    let [_, second, third, fourth] = [&a, &b, &other, &untagged].map(|c| c.add().address());
    assert!(a.netns.ping(second), "the same VLAN");
    for (whose, address) in [
        ("another VLAN", third),
        ("no VLAN", fourth),
        ("LAN", GATEWAY),
    ] {
        assert!(!hears(&a, address), "{whose}");
    }
    assert!(!hears(&other, fourth), "4094 and none");
    assert!(untagged.netns.ping(GATEWAY), "no VLAN and the LAN");
    let tag = |c: &Container<'_>| ground.ovs().column("Port", &port_of(&ground, c), "tag");
    assert_eq!((tag(&a), tag(&other)), (json!(7), json!(4094)));
    for container in [&a, &b, &other, &untagged] {
        container.del().success();
    }
    ground.assert_clean("VLANs");
}

#[test]
fn the_vlan_of_the_pool_is_the_ports_tag() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    ground.create_pool("tagged", &["--subnet", "10.21.0.0/28", "--vlan", "7"]);
    let container = ground.container("a").with("/ipam/pool", json!("tagged"));
    let reply = container.add();
    let port = port_of(&ground, &container);
    reply.success();
    assert_eq!(ground.ovs().column("Port", &port, "tag"), json!(7));
    container.check(&reply.json).success();
    // The same number in the configuration is no contradiction.
    let same = ground
        .container("b")
        .with("/ipam/pool", json!("tagged"))
        .with("/vlan", json!(7));
    same.add().success();
    assert!(container.netns.ping(same.netns.addresses("eth0")[0]));
    same.del().success();
    container.del().success();
    ground.assert_clean("a pool's VLAN");

    let contradicts = ground
        .container("c")
        .with("/ipam/pool", json!("tagged"))
        .with("/vlan", json!(8));
    contradicts.refused(7, &["vlan", "8", "7"]);
}

#[test]
fn the_mtu_is_the_configured_one_at_both_ends() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = ground.container("a").with("/mtu", json!(1400));
    let reply = container.add();
    assert_eq!(reply.success()["interfaces"][1]["mtu"], 1400);
    let port = port_of(&ground, &container);
    let node = ground.node().netns();
    assert_eq!(container.netns.link("eth0").expect("eth0")["mtu"], 1400);
    assert_eq!(node.link(&port).expect("the node's end")["mtu"], 1400);
    container.assert_connected(reply.address());
    container.del().success();
    ground.assert_clean("an MTU");
}

#[test]
fn a_hardware_address_may_be_asked_for() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let mac = "02:aa:bb:cc:dd:01";
    let asked = json!({"mac": mac, "ips": ["10.20.1.77"]});
    let container = ground.container("a").with("/runtimeConfig", asked);
    let reply = container.add();
    assert_eq!(reply.address(), ip("10.20.1.77"));
    assert_eq!(reply.json["interfaces"][1]["mac"], mac);
    assert_eq!(container.netns.link("eth0").expect("eth0")["address"], mac);
    container.assert_connected(reply.address());
    container.del().success();
    ground.assert_clean("a hardware address");
}

#[test]
fn several_interfaces_of_one_container_have_a_port_each() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let call = |command, ifname| e2e::plugin::Call {
        ifname,
        ..container.call_of(command)
    };
    let names = ["eth0", "eth1", "net-of-15-bytes"];
    for name in names {
        container.answer(&call("ADD", name)).success();
    }
    assert_eq!(ground.ovs().ports().len(), 3);
    assert_eq!(container.netns.links(), names);
    container.answer(&call("DEL", "eth1")).success();
    assert_eq!(ground.ovs().ports().len(), 2);
    for name in ["eth0", "net-of-15-bytes"] {
        container.answer(&call("DEL", name)).success();
    }
    ground.assert_clean("several interfaces");
}

#[test]
fn case_06_an_interface_that_exists_already_is_an_error_and_stays() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = ground.container("a");
    container
        .netns
        .ip(&["link", "add", "eth0", "type", "bridge"]);
    assert_names(&container.add().failure(), 4, &["CNI_IFNAME", "eth0"]);
    ground.assert_clean("an interface of others");
    container.del().success();
    assert_eq!(container.netns.links(), ["eth0"]);
    ground.assert_clean("an interface of others");
}

#[test]
fn case_53_a_bridge_that_does_not_exist_is_7() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = ground.container("a").with("/bridge", json!("br-none"));
    container.refused(7, &["bridge", "br-none"]);
    container.del().success();
    for vlan in [json!(0), json!(4095), json!(-1), json!("7")] {
        let container = ground.container("b").with("/vlan", vlan.clone());
        container.refused(7, &["vlan"]);
    }
    // One that was made meanwhile is found.
    ground.ovs().add_bridge("br-none");
    container.add().success();
    let listed = ground.ovs().vsctl(&["list-ports", "br-none"]);
    assert_eq!(listed.lines().count(), 1, "not on {BRIDGE}: {listed}");
    container.del().success();
    assert_eq!(ground.ovs().vsctl(&["list-ports", "br-none"]), "");
    ground.ovs().vsctl(&["del-br", "br-none"]);
    ground.assert_clean("another bridge");
}
