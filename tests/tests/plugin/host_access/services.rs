//! Services: translated by the node, as `kube-proxy` does, and answered by containers.

use std::net::{IpAddr, SocketAddr};

use e2e::lan::{Node, UPLINK};
use e2e::{debian, process};
use serde_json::json;

use super::{By, SERVICES, connect, ground, node_addresses, own_tables, with_services};
use crate::container::Container;
use crate::families::addresses;
use crate::ground::{Ground, Kind};

/// A service of each family, and the port of its backends.
const CLUSTER: [&str; 2] = ["10.96.0.10", "fd00:96::10"];
const PORT: u16 = 8080;

fn services<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    with_services(ground.container(id), &SERVICES)
}

fn nft(node: &Node, command: &str) {
    let mut nft = node.netns().command(debian::require("nft", "nftables"));
    process::output(nft.arg(command));
}

/// What `kube-proxy` does on a node: it forwards, and the services' addresses become the backend's.
fn serve(node: &Node, backends: [IpAddr; 2]) {
    node.netns().run(|| {
        for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            std::fs::write(format!("/proc/sys/net/{switch}"), "1").expect("let the node forward");
        }
    });
    nft(node, "add table inet services");
    nft(node, "flush table inet services");
    let hook = "{ type nat hook prerouting priority -100; }";
    nft(node, &format!("add chain inet services translation {hook}"));
    for (family, cluster, backend) in [
        ("ip", CLUSTER[0], backends[0].to_string()),
        ("ip6", CLUSTER[1], format!("[{}]", backends[1])),
    ] {
        nft(
            node,
            &format!(
                "add rule inet services translation {family} daddr {cluster} tcp dport 80 \
                 dnat {family} to {backend}:{PORT}"
            ),
        );
    }
}

/// What a backend at `server` sees of a container that asks for the service.
fn ask(client: &Container<'_>, server: &Container<'_>, at: IpAddr) -> Result<IpAddr, String> {
    let cluster = CLUSTER[usize::from(at.is_ipv6())]
        .parse()
        .expect("an address");
    let to = SocketAddr::new(cluster, 80);
    connect(&client.netns, to, &server.netns, SocketAddr::new(at, PORT))
}

fn pair_of(container: &Container<'_>) -> [IpAddr; 2] {
    let own = addresses(container.add().success());
    own.try_into().expect("an address of each family")
}

fn translated(by: By) {
    let ground = ground(Kind::Embedded, by);
    let node = ground.node();
    let [client, backend] = ["client", "backend"].map(|id| services(&ground, id));
    let [own, backends] = [&client, &backend].map(pair_of);
    serve(node, backends);
    for (at, node_own) in backends.into_iter().zip(node_addresses(node)) {
        assert_eq!(
            ask(&client, &backend, at),
            Ok(node_own),
            "of the same node: {by:?}"
        );
    }
    // Itself.
    serve(node, own);
    for (at, node_own) in own.into_iter().zip(node_addresses(node)) {
        assert_eq!(ask(&client, &client, at), Ok(node_own), "by itself: {by:?}");
    }
    for container in [client, backend] {
        container.del().success();
    }
    assert_eq!(own_tables(node), [""; 0]);
    ground.assert_clean("services");
}

#[test]
fn a_service_is_answered_by_a_container_of_the_same_node() {
    translated(By::Macvlan);
}

#[test]
fn a_service_is_answered_by_a_container_of_the_same_node_by_ovs() {
    translated(By::Ovs);
}

#[test]
fn a_service_is_answered_by_a_container_of_another_node() {
    let ground = ground(Kind::Etcd, By::Macvlan);
    let node = ground.node();
    let client = services(&ground, "client");
    let mut backend = ground.container_on(&ground.nodes[1], "backend");
    backend.config = ground.config_of(&ground.nodes[1]);
    pair_of(&client);
    let backends = pair_of(&backend);
    // The way to the backends decides under which address they are asked.
    node.netns()
        .ip(&["address", "add", "10.20.1.250/24", "dev", UPLINK]);
    let [_, six] = node_addresses(node);
    serve(node, backends);
    for (at, node_own) in backends
        .into_iter()
        .zip([crate::ground::ip("10.20.1.250"), six])
    {
        assert_eq!(ask(&client, &backend, at), Ok(node_own));
        // What is no service keeps the container's address.
        let direct = SocketAddr::new(at, PORT);
        let seen = connect(&client.netns, direct, &backend.netns, direct);
        assert_ne!(seen.expect("the LAN"), node_own);
    }
}

#[test]
fn the_table_is_shared_and_goes_with_the_last() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let node = ground.node();
    let others = "add table inet berth-of-somebody-else";
    nft(node, others);
    let [one, other] = ["a", "b"].map(|id| services(&ground, id));
    let third = with_services(ground.container("c"), &SERVICES[..1]);
    let foreign = ["berth-of-somebody-else".to_owned()];
    one.add().success();
    let first = own_tables(node);
    assert_eq!(first.len(), 2, "{first:?}");
    other.add().success();
    assert_eq!(own_tables(node), first);
    third.add().success();
    assert_eq!(own_tables(node).len(), 3, "another list has another table");
    for container in [one, third] {
        container.del().success();
    }
    assert!(own_tables(node).len() > 1, "the second is still there");
    other.del().success();
    assert_eq!(own_tables(node), foreign);
    ground.assert_clean("the last has gone");
}

/// A firewall that is loaded anew throws every table away.
#[test]
fn the_next_add_makes_a_table_that_somebody_threw_away() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let node = ground.node();
    let [one, other] = ["a", "b"].map(|id| services(&ground, id));
    one.add().success();
    let made = own_tables(node);
    nft(node, "flush ruleset");
    assert_eq!(own_tables(node), [""; 0]);
    other.add().success();
    assert_eq!(own_tables(node), made);
}

#[test]
fn services_without_host_access_are_refused() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let mut container = ground.container("a");
    crate::ground::set(&mut container.config, "/serviceCidrs", json!(SERVICES));
    container.refused(7, &["serviceCidrs"]);
}

#[test]
fn services_that_would_take_the_lan_away_are_refused() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    for cidr in [
        "0.0.0.0/0",
        "::/0",
        "10.96.0.1/12",
        "10.20.0.0/16",
        "10.20.1.128/25",
    ] {
        let container = with_services(ground.container("a"), &[cidr]);
        container.refused(7, &["serviceCidrs", cidr]);
    }
}

/// Not a second one beside it, whose rules the old ones would keep from being heard.
#[test]
fn a_node_that_moved_has_its_table_made_anew() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let node = ground.node();
    let [one, other] = ["a", "b"].map(|id| services(&ground, id));
    one.add().success();
    let before = own_tables(node);
    let old = format!("{}/24", node.address());
    node.netns()
        .ip(&["address", "add", "192.168.254.99/24", "dev", UPLINK]);
    node.netns().ip(&["address", "del", &old, "dev", UPLINK]);
    other.add().success();
    let after = own_tables(node);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
}

#[test]
fn check_notices_a_table_and_a_route_that_are_gone() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let container = services(&ground, "a");
    let reply = container.add();
    container.check(&reply.json).success();
    nft(ground.node(), "flush ruleset");
    let error = container.check(&reply.json).failure();
    assert!(error.msg.contains("nftables"), "{error:?}");
    container.netns.ip(&["route", "del", SERVICES[0]]);
    let error = container.check(&reply.json).failure();
    assert!(error.msg.contains(SERVICES[0]), "{error:?}");
}

/// Each network has its own list; one's table does not stand for another's.
#[test]
fn check_is_not_content_with_the_table_of_other_services() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let node = ground.node();
    let container = services(&ground, "a");
    let reply = container.add();
    let own = own_tables(node);
    let other = with_services(ground.container("b"), &SERVICES[..1]);
    other.add().success();
    nft(node, &format!("delete table inet {}", own[0]));
    assert_eq!(own_tables(node).len(), 1, "the other's");
    let error = container.check(&reply.json).failure();
    assert!(error.msg.contains("nftables"), "{error:?}");
}

#[test]
fn services_may_be_named_twice_and_at_an_address_of_the_node() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let own = format!("{}/32", ground.node().address());
    let container = with_services(ground.container("a"), &[SERVICES[0], &own, SERVICES[0]]);
    let reply = container.add();
    container.check(&reply.json).success();
    container.del().success();
    ground.assert_clean("services named twice");
}

/// As many as may be named fit the kernel's limits.
#[test]
fn sixty_four_subnets_of_services_are_served() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let many: Vec<_> = (0..64).map(|n| format!("fd00:96:{n:x}::/112")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let container = with_services(ground.container("a"), &many);
    let reply = container.add();
    container.check(&reply.json).success();
}
