//! Node and container.

use std::net::SocketAddr;

use e2e::lan::UPLINK;
use e2e::plugin::Call;
use serde_json::json;

use super::{By, connect, container, ground, node_addresses};
use crate::families::addresses;
use crate::ground::{Ground, Kind, NARROW, WIDE};

/// Both ways, by ping and TCP, each with the other's own address.
fn both_ways(kind: Kind, by: By) {
    let ground = ground(kind, by);
    let node = ground.node();
    let container = container(&ground, "a");
    let reply = container.add();
    for (own, node_own) in addresses(reply.success())
        .into_iter()
        .zip(node_addresses(node))
    {
        assert_eq!(own.is_ipv4(), node_own.is_ipv4());
        assert!(node.netns().ping(own), "the node reaches {own}: {by:?}");
        assert!(
            container.netns.ping(node_own),
            "{own} reaches its node: {by:?}"
        );
        let [at_container, at_node] = [own, node_own].map(|ip| SocketAddr::new(ip, 8080));
        let probe = connect(node.netns(), at_container, &container.netns, at_container);
        assert_eq!(probe, Ok(node_own), "a probe of {own}: {by:?}");
        let call = connect(&container.netns, at_node, node.netns(), at_node);
        assert_eq!(call, Ok(own), "a call of the node's {node_own}: {by:?}");
        // The LAN is where it was.
        assert!(
            ground.lan.netns().ping(own),
            "the gateway reaches {own}: {by:?}"
        );
    }
    container.check(&reply.json).success();
    container.del().success();
    ground.assert_clean("host access");
}

#[test]
fn node_and_container_reach_each_other_embedded() {
    both_ways(Kind::Embedded, By::Macvlan);
}

#[test]
fn node_and_container_reach_each_other_etcd() {
    both_ways(Kind::Etcd, By::Macvlan);
}

#[test]
fn node_and_container_reach_each_other_by_ovs() {
    both_ways(Kind::Embedded, By::Ovs);
}

/// Without it a macvlan does not hear its own node: what the others prove is no accident.
#[test]
fn without_host_access_the_node_does_not_reach_a_macvlan() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let container = ground.container("a");
    let own = addresses(container.add().success())[0];
    let at = SocketAddr::new(own, 8080);
    let probe = connect(ground.node().netns(), at, &container.netns, at);
    assert!(probe.is_err(), "{probe:?}");
    assert!(ground.lan.netns().ping(own));
}

#[test]
fn containers_of_one_node_reach_each_other_over_the_lan_still() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let [one, other] = ["a", "b"].map(|id| container(&ground, id));
    let [first, second] = [&one, &other].map(|container| addresses(container.add().success()));
    for (from, to) in first.iter().zip(&second) {
        let at = SocketAddr::new(*to, 8080);
        assert_eq!(connect(&one.netns, at, &other.netns, at), Ok(*from));
        let route = one.netns.ip_json(&["route", "get", &to.to_string()]);
        assert_eq!(route[0]["dev"], "eth0");
    }
}

/// The first interface leads to the node; the node reaches each address by its own pair.
#[test]
fn each_interface_of_a_container_has_a_pair_of_its_own() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let container = container(&ground, "a");
    let call = |command, ifname| {
        let call = Call {
            ifname,
            ..container.call_of(command)
        };
        container.answer(&call)
    };
    let own: Vec<_> = ["eth0", "net1"]
        .into_iter()
        .flat_map(|ifname| addresses(call("ADD", ifname).success()))
        .collect();
    for address in &own {
        let at = SocketAddr::new(*address, 8080);
        let probe = connect(ground.node().netns(), at, &container.netns, at);
        assert!(probe.is_ok(), "{address}: {probe:?}");
    }
    // Without the first, the other leads to the node.
    call("DEL", "eth0").success();
    let at = SocketAddr::new(own[2], 8080);
    assert!(connect(ground.node().netns(), at, &container.netns, at).is_ok());
    let to_node = SocketAddr::new(ground.node().address().into(), 8080);
    assert!(connect(&container.netns, to_node, ground.node().netns(), to_node).is_ok());
    call("DEL", "net1").success();
    ground.assert_clean("two pairs");
    call("ADD", "eth0").success();
    let own = addresses(call("ADD", "eth0").success());
    let at = SocketAddr::new(own[0], 8080);
    assert!(connect(ground.node().netns(), at, &container.netns, at).is_ok());
    call("DEL", "eth0").success();
    ground.assert_clean("two pairs");
}

#[test]
fn the_result_lists_the_nodes_end_and_the_address_is_of_the_interface() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let container = container(&ground, "a");
    let reply = container.add();
    let result = reply.success();
    let interfaces = result["interfaces"].as_array().expect("a list");
    assert_eq!(interfaces.len(), 2);
    let end = interfaces[0]["name"].as_str().expect("a name");
    assert!(end.starts_with("berth") && ground.node().netns().link(end).is_some());
    assert_eq!(interfaces[0].get("sandbox"), None);
    assert_eq!(interfaces[1]["name"], "eth0");
    for ip in result["ips"].as_array().expect("a list") {
        assert_eq!(ip["interface"], json!(1));
    }
}

#[test]
fn check_notices_a_pair_and_a_route_that_are_gone() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for (named, damage) in [
        ("berth", ["link", "set", "DEV", "down"].as_slice()),
        ("berth", &["route", "flush", "dev", "DEV"]),
        ("bh-eth0", &["link", "del", "DEV"]),
    ] {
        let container = container(&ground, "a");
        let reply = container.add();
        let end = reply.success()["interfaces"][0]["name"]
            .as_str()
            .expect("a name");
        container.check(&reply.json).success();
        let damage = damage
            .iter()
            .map(|word| if *word == "DEV" { end } else { word });
        ground.node().netns().ip(&damage.collect::<Vec<_>>());
        let error = container.check(&reply.json).failure();
        assert!(error.msg.contains(named), "{error:?}");
        container.del().success();
        ground.assert_clean(named);
    }
}

/// As when a lease is renewed, or a network manager starts again.
#[test]
fn an_address_of_the_node_that_goes_and_comes_cuts_nobody_off() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let node = ground.node();
    let container = container(&ground, "a");
    let own = addresses(container.add().success());
    for (cidr, own) in [
        (format!("{}/24", node.address()), own[0]),
        ("fd00:20::ffff/112".to_owned(), own[1]),
    ] {
        node.netns().ip(&["address", "del", &cidr, "dev", UPLINK]);
        let mut add = vec!["address", "add", &cidr, "dev", UPLINK];
        add.extend(own.is_ipv6().then_some("nodad"));
        node.netns().ip(&add);
        let at = SocketAddr::new(own, 8080);
        let probe = connect(node.netns(), at, &container.netns, at);
        assert!(probe.is_ok(), "{own}: {probe:?}");
    }
}

#[test]
fn a_route_of_somebody_elses_is_named_and_stays() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let node = ground.node().netns();
    for host in 2..15 {
        let to = format!("10.20.1.{host}/32");
        node.ip(&["route", "add", &to, "dev", UPLINK]);
    }
    let routes = node.ip_json(&["route"]);
    container(&ground, "a").refused(999, &["hostAccess", "route"]);
    assert_eq!(node.ip_json(&["route"]), routes);
}

#[test]
fn a_repeated_add_mends_a_pair_that_is_gone() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let container = container(&ground, "a");
    let own = container.add().address();
    container.netns.ip(&["link", "del", "bh-eth0"]);
    let again = container.add();
    assert_eq!(again.address(), own);
    assert!(ground.node().netns().ping(own));
    container.check(&again.json).success();
}
