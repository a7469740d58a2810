//! `berth-ipam` under Debian's `macvlan` and `bridge`, which are called as a runtime calls them.

use e2e::lan::UPLINK;
use serde_json::{Value, json};

use super::{container_of, under};
use crate::families::{self, BOTH, addresses};
use crate::ground::{Ground, Kind, NARROW, NOTHING, WIDE};
use crate::records;

/// The reference plugin's own fields.
fn fields(name: &str) -> Value {
    match name {
        "macvlan" => json!({"type": "macvlan", "master": UPLINK, "mode": "bridge"}),
        _ => json!({"type": "bridge", "bridge": "cni0"}),
    }
}

fn lifetime(name: &str, kind: Kind) {
    let ground = under(name, kind, WIDE);
    let container = container_of(&ground, ground.node(), "a", &fields(name)).of_pod("web-0", "u1");
    // Not by `add`: the bridge plugin lists interfaces of the node, without a namespace.
    let reply = ground.plugin.call(ground.node(), &container.call_of("ADD"));
    let given = addresses(reply.success());
    assert_eq!(ground.held(), given);
    assert_eq!(container.netns.addresses("eth0"), given);
    if name == "macvlan" {
        container.assert_connected(given[0]);
    }
    let link = container.netns.link("eth0").expect("a link");
    let (_, record) = records::addresses(&ground).remove(0);
    let holder = record.holder.expect("a holder");
    assert_eq!(
        link["address"],
        holder.mac.to_string(),
        "the hardware address it bears"
    );
    assert_eq!(holder.pod.expect("a pod").name, "web-0");
    container.check(&reply.json).success();
    container.del().success();
    assert_eq!(container.netns.links(), [""; 0]);
    assert_eq!(ground.held(), NOTHING);
    container.del().success();
    assert_eq!(
        crate::ground::files(&ground.node().file("run/ipam/attachments")),
        [""; 0]
    );
}

#[test]
fn under_macvlan_an_address_lives_as_long_as_its_container_embedded() {
    lifetime("macvlan", Kind::Embedded);
}

#[test]
fn under_macvlan_an_address_lives_as_long_as_its_container_etcd() {
    lifetime("macvlan", Kind::Etcd);
}

#[test]
fn under_bridge_an_address_lives_as_long_as_its_container() {
    lifetime("bridge", Kind::Embedded);
}

#[test]
fn under_macvlan_a_container_has_both_families() {
    let mut ground = families::ground(Kind::Embedded, BOTH);
    ground.plugin = under("macvlan", Kind::Embedded, NARROW).plugin;
    let container = container_of(&ground, ground.node(), "a", &fields("macvlan"));
    let reply = container.add();
    container.assert_reached(&addresses(reply.success()));
    container.check(&reply.json).success();
    container.del().success();
    ground.assert_clean("both families under macvlan");
}

#[test]
fn case_33_a_main_plugin_that_fails_gives_the_address_back() {
    for name in ["macvlan", "bridge"] {
        let ground = under(name, Kind::Embedded, WIDE);
        // A next hop that cannot be reached: the kernel refuses the route, after the claim.
        records::change_pool(&ground, "prod", |pool| {
            let route = json!({"dst": "10.99.0.0/16", "gw": "10.98.0.1"});
            let route: berth_types::Route = serde_json::from_value(route).expect("a route");
            pool.subnets
                .iter_mut()
                .for_each(|subnet| subnet.routes = vec![route.clone()]);
        });
        let container = container_of(&ground, ground.node(), "a", &fields(name));
        let reply = ground.plugin.call(ground.node(), &container.call_of("ADD"));
        assert!(!reply.status.success(), "{name}: {reply:#?}");
        assert_eq!(ground.held(), NOTHING, "{name}");
        container.del().success();
    }
}

#[test]
fn an_error_reaches_the_runtime_through_the_main_plugin() {
    let ground = under("macvlan", Kind::Embedded, WIDE);
    let container = container_of(&ground, ground.node(), "a", &fields("macvlan"));
    let container = container.with("/ipam/pool", json!("nowhere"));
    let reply = ground.plugin.call(ground.node(), &container.call_of("ADD"));
    assert!(reply.failure().msg.contains("nowhere"), "{reply:#?}");
    // This one's link stays, whatever IPAM it asked.
    container.del().success();
    ground.assert_clean("a pool that is nowhere");
}

fn at_once(ground: &Ground) {
    let containers: Vec<_> = (0..16)
        .map(|n| container_of(ground, ground.node(), &format!("c{n}"), &fields("macvlan")))
        .collect();
    let calls: Vec<_> = containers.iter().map(|c| c.start("ADD")).collect();
    let mut given: Vec<_> = calls
        .into_iter()
        .map(|call| call.finish().address())
        .collect();
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 16, "no address twice");
    let calls: Vec<_> = containers.iter().map(|c| c.start("DEL")).collect();
    for call in calls {
        call.finish().success();
    }
    ground.assert_clean("sixteen containers at once");
}

#[test]
fn sixteen_containers_of_macvlan_at_once() {
    at_once(&under("macvlan", Kind::Embedded, WIDE));
    at_once(&under("macvlan", Kind::Etcd, WIDE));
}
