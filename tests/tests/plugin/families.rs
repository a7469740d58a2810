//! Pools of both families, of IPv6 alone, and lists of pools.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::container::{Container, assert_names};
use crate::ground::{Ground, Kind, POOL, ip};
use crate::records;

/// 10.20.1.0/28 and `fd00:20::/112`, each behind its gateway: 13 addresses of the first.
pub(crate) const BOTH: &[&str] = &[
    "--subnet",
    "10.20.1.0/28",
    "--gateway",
    "10.20.1.1",
    "--subnet",
    "fd00:20::/112",
    "--gateway",
    "fd00:20::1",
];
/// The second of them.
const SIX: &[&str] = &["--subnet", "fd00:20::/112", "--gateway", "fd00:20::1"];

/// A ground whose LAN has an IPv6 gateway as well.
pub(crate) fn ground(kind: Kind, pool: &[&str]) -> Ground {
    let ground = Ground::new(kind, pool);
    six_gateway(&ground, "fd00:20::1/112");
    ground
}

/// Gives the LAN an IPv6 gateway.
pub(crate) fn six_gateway(ground: &Ground, gateway: &str) {
    let add = ["address", "add", gateway, "dev", "br0", "nodad"];
    ground.lan.netns().ip(&add);
}

/// The addresses of a result, in its order.
#[track_caller]
pub(crate) fn addresses(result: &Value) -> Vec<IpAddr> {
    let ips = result["ips"].as_array().expect("a list of addresses");
    let texts = ips.iter().map(|ip| ip["address"].as_str().expect("a text"));
    texts
        .map(|cidr| ip(cidr.split('/').next().expect("an address")))
        .collect()
}

/// The default routes of the container, IPv4 and IPv6.
fn default_routes(container: &Container<'_>) -> Vec<Value> {
    let route = |family| {
        container
            .netns
            .ip_json(&[family, "route", "show", "default"])
    };
    ["-4", "-6"].map(route).into_iter().collect()
}

fn both(kind: Kind) {
    let ground = ground(kind, BOTH);
    let container = ground.container("a");
    let reply = container.add();
    let given = addresses(reply.success());
    let [IpAddr::V4(_), IpAddr::V6(_)] = given.as_slice() else {
        panic!("one of each family: {given:?}");
    };
    container.assert_reached(&given);
    assert_eq!(ground.held(), given);
    for (routes, gateway) in default_routes(&container)
        .iter()
        .zip(["10.20.1.1", "fd00:20::1"])
    {
        assert_eq!(routes[0]["gateway"], gateway, "{routes}");
        assert_eq!(routes.as_array().expect("a list").len(), 1, "{routes}");
    }
    let destinations = ["0.0.0.0/0", "::/0"].map(|dst| json!(dst));
    for (n, destination) in destinations.iter().enumerate() {
        assert_eq!(reply.json["routes"][n]["dst"], *destination);
    }
    container.check(&reply.json).success();
    assert_eq!(container.add().json, reply.json, "repeated");
    container
        .netns
        .ip(&["-6", "address", "flush", "dev", "eth0", "scope", "global"]);
    let error = container.check(&reply.json).failure();
    assert_names(&error, 999, &[&given[1].to_string()]);
    container.del().success();
    ground.assert_clean("both families");
}

#[test]
fn a_pool_of_both_families_gives_one_address_of_each_and_del_frees_both_embedded() {
    both(Kind::Embedded);
}

#[test]
fn a_pool_of_both_families_gives_one_address_of_each_and_del_frees_both_etcd() {
    both(Kind::Etcd);
}

#[test]
fn a_container_gets_both_families_or_nothing() {
    let subnets = ["--subnet", "10.20.1.0/28", "--subnet", "fd00:20::/126"];
    let ground = ground(Kind::Embedded, &subnets);
    let containers = ["a", "b", "c", "d", "e"].map(|id| ground.container(id));
    let mut full = None;
    for container in &containers {
        let reply = container.add();
        if !reply.status.success() {
            assert_eq!(container.netns.links(), [""; 0]);
            full = Some(reply.failure());
            break;
        }
    }
    let error = full.expect("a /126 is soon used up");
    assert_names(&error, 101, &["prod", "IPv6"]);
    let held = ground.held();
    let sixes = held.iter().filter(|address| address.is_ipv6()).count();
    assert_eq!(held.len(), 2 * sixes, "as many of each family: {held:?}");
    for container in &containers {
        container.del().success();
    }
    ground.assert_clean("a full family");
}

#[test]
fn a_pool_of_ipv6_alone_gives_one_address() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = ground(kind, SIX);
        let container = ground.container("a");
        container
            .netns
            .run(|| std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1"))
            .expect("switch IPv6 off, as some runtimes do");
        let reply = container.add();
        let given = addresses(reply.success());
        assert!(matches!(given.as_slice(), [IpAddr::V6(_)]), "{given:?}");
        container.assert_reached(&given);
        container.check(&reply.json).success();
        container.del().success();
        ground.assert_clean("IPv6 alone");
    }
}

#[test]
fn an_mtu_that_ipv6_cannot_live_with_is_refused() {
    let ground = ground(Kind::Embedded, BOTH);
    let container = |mtu: u32| ground.container("a").with("/mtu", json!(mtu));
    container(1279).refused(7, &["mtu", "1279"]);
    container(1280).add().success();
}

#[test]
fn case_16_and_17_an_address_of_each_family_may_be_asked_for() {
    let ground = ground(Kind::Embedded, BOTH);
    let asking = |ips: &[&str]| {
        let asked = json!({"ips": ips});
        ground.container("a").with("/runtimeConfig", asked)
    };
    let container = asking(&["fd00:20:0::8/64", "10.20.1.9"]);
    let reply = container.add();
    let given = addresses(reply.success());
    assert_eq!(given, [ip("10.20.1.9"), ip("fd00:20::8")]);
    assert_eq!(reply.json["ips"][1]["address"], "fd00:20::8/112");
    container.assert_reached(&given);
    container.del().success();
    // Of one family alone, any of the other comes with it.
    let container = asking(&["fd00:20::8"]);
    let reply = container.add();
    assert_eq!(addresses(reply.success())[1], ip("fd00:20::8"));
    assert_eq!(ground.held().len(), 2);
    container.del().success();
    for (ips, code, named) in [
        (&["10.20.1.9", "fd00:20::1"], 105, "fd00:20::1"),
        (&["10.20.1.9", "fd00:21::5"], 105, "fd00:21::5"),
        (&["10.20.1.9", "fd00:20::08888"], 7, "fd00:20::08888"),
        (&["10.20.1.9", "10.20.1.8"], 7, "runtimeConfig.ips"),
    ] {
        asking(ips).refused(code, &[named]);
    }
}

/// A pool for which something speaks against: full, draining, for others.
fn unusable_pools() -> Ground {
    let ground = Ground::new(
        Kind::Embedded,
        &["--subnet", "10.20.1.0/28", "--gateway", "10.20.1.1"],
    );
    for (n, name) in ["full", "draining", "others-namespace", "others-node"]
        .iter()
        .enumerate()
    {
        ground.create_pool(name, &["--subnet", &format!("10.21.{n}.4/30")]);
    }
    records::change_pool(&ground, "draining", |pool| {
        pool.state = berth_types::PoolState::Draining;
    });
    let others = |raw: &str| vec![raw.parse().expect("a pattern")];
    records::change_pool(&ground, "others-namespace", |pool| {
        pool.namespaces = others("bank-*");
    });
    records::change_pool(&ground, "others-node", |pool| {
        pool.nodes = others("rack7-*");
    });
    ground
}

#[test]
fn the_first_pool_of_a_list_that_can_give_does() {
    let ground = unusable_pools();
    let fillers: Vec<_> = (0..4)
        .map(|n| {
            ground
                .container(&format!("fill-{n}"))
                .with("/ipam/pool", json!("full"))
        })
        .collect();
    let full = fillers.iter().find_map(|container| {
        let reply = container.add();
        (!reply.status.success()).then(|| reply.failure())
    });
    assert_names(&full.expect("a /30 is soon used up"), 101, &["full"]);

    let list = json!(["full", "draining", "others-namespace", "others-node", POOL]);
    let container = ground
        .container("a")
        .of_pod("web-0", "u1")
        .with("/ipam/pool", list);
    let address = container.add().address();
    let record = records::addresses(&ground)
        .into_iter()
        .find(|(a, _)| *a == address);
    assert_eq!(record.expect("a record").1.pool.as_str(), POOL);
    container.assert_connected(address);
    container.del().success();

    let by_annotation = ground
        .container("b")
        .of_pod("web-1", "u2")
        .annotated("berth.dev/pool", "draining, prod");
    by_annotation.add().success();
    by_annotation.del().success();
}

#[test]
fn a_list_of_which_no_pool_can_give_says_what_speaks_against() {
    let ground = unusable_pools();
    for (pool, code, named) in [
        ("draining", 106, "draining"),
        ("others-namespace", 7, "namespace shop"),
        ("others-node", 7, "node n1"),
        ("nowhere", 7, "nowhere"),
    ] {
        let list = json!([pool]);
        let container = ground
            .container("a")
            .of_pod("web-0", "u1")
            .with("/ipam/pool", list);
        container.refused(code, &[pool, named]);
    }
    let container = ground
        .container("a")
        .with("/ipam/pool", json!(["others-namespace"]));
    container.refused(7, &["others-namespace", "no namespace"]);
    let admitted = ground
        .container("b")
        .with("/ipam/pool", json!(["others-namespace", POOL]));
    admitted.add().success();
    admitted.del().success();
    ground.assert_clean("lists of pools");
}
