//! The interface: modes, MTU, hardware addresses, routes, announcements, and who reaches whom.

use std::net::IpAddr;
use std::time::Duration;

use e2e::lan::{Lan, LanOptions, UPLINK};
use e2e::plugin::Call;
use e2e::wait;
use serde_json::{Value, json};

use crate::container::{Container, assert_names};
use crate::ground::{GATEWAY, Ground, Kind, NOTHING, WIDE};
use crate::records;

/// `0a:58` and the address.
fn derived(address: IpAddr) -> String {
    let IpAddr::V4(v4) = address else {
        panic!("an IPv4 address")
    };
    let [a, b, c, d] = v4.octets();
    format!("0a:58:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// What `ip` shows of the container's `eth0`.
fn link(container: &Container<'_>) -> Value {
    container
        .netns
        .link("eth0")
        .expect("the container has eth0")
}

#[test]
fn an_interface_is_as_its_result_says() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let container = ground.container("a");
        let reply = container.add();
        let (result, link) = (reply.success(), link(&container));
        let interface = &result["interfaces"][0];
        assert_eq!(interface["name"], "eth0");
        assert_eq!(interface["sandbox"], json!(container.netns.path()));
        assert_eq!(interface["mac"], link["address"]);
        assert_eq!(interface["mac"], derived(reply.address()));
        assert_eq!(
            (&interface["mtu"], &link["mtu"]),
            (&json!(1500), &json!(1500))
        );
        assert_eq!(result["ips"][0]["interface"], 0);
        assert_eq!(result["ips"][0]["gateway"], json!(GATEWAY));
        assert_eq!(
            result["routes"],
            json!([{"dst": "0.0.0.0/0", "gw": "10.20.1.1"}])
        );
        let address = &link["addr_info"][0];
        assert_eq!(address["prefixlen"], 24);
        assert_eq!(address["broadcast"], "10.20.1.255");
        let routes = container.netns.ip_json(&["route", "show", "default"]);
        assert_eq!(
            (&routes[0]["gateway"], &routes[0]["dev"]),
            (&json!("10.20.1.1"), &json!("eth0"))
        );
        container.assert_connected(reply.address());
        container.del().success();
        ground.assert_clean("after DEL");
    }
}

#[test]
fn containers_reach_each_other_and_the_gateway_as_their_mode_says() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for (mode, reach_each_other) in [("bridge", true), ("private", false), ("vepa", false)] {
        let [a, b] = ["a", "b"].map(|id| ground.container(id).with("/mode", json!(mode)));
        let (first, second) = (a.add().address(), b.add().address());
        assert_eq!(link(&a)["linkinfo"]["info_data"]["mode"], mode);
        a.assert_connected(first);
        b.assert_connected(second);
        assert!(a.netns.ping(GATEWAY), "{mode}");
        // vepa: the LAN's bridge does not reflect.
        if reach_each_other {
            assert!(a.netns.ping(second) && b.netns.ping(first), "{mode}");
        } else {
            let mut once = a.netns.command("/bin/ping");
            once.args(["-n", "-q", "-c", "1", "-W", "0.3", &second.to_string()]);
            assert!(
                !once.output().expect("start ping").status.success(),
                "{mode}"
            );
        }
        a.del().success();
        b.del().success();
        ground.assert_clean(mode);
    }
}

#[test]
fn containers_of_two_nodes_reach_each_other() {
    let ground = Ground::with_nodes(Kind::Etcd, WIDE, 2);
    let [a, b] = [0, 1].map(|n| ground.container_on(&ground.nodes[n], "a"));
    let (first, second) = (a.add().address(), b.add().address());
    assert!(a.netns.ping(second) && b.netns.ping(first));
    assert_eq!(ground.holder(second).as_deref(), Some("n2/pods/a/eth0"));
    a.del().success();
    assert_eq!(
        ground.held(),
        [second],
        "the same id on another node is another's"
    );
}

#[test]
fn a_passthru_container_has_the_masters_hardware_address() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let master = ground.node().netns().link(UPLINK).expect("an uplink")["address"].clone();
    let container = ground.container("a").with("/mode", json!("passthru"));
    let reply = container.add();
    assert_eq!(reply.success()["interfaces"][0]["mac"], master);
    assert_eq!(
        link(&container)["linkinfo"]["info_data"]["mode"],
        "passthru"
    );
    container.assert_connected(reply.address());
    // Only one has room.
    let second = ground.container("b").with("/mode", json!("passthru"));
    let error = second.add().failure();
    assert!(
        matches!(error.code, 7) && error.details.contains(UPLINK),
        "{error:?}"
    );
    assert_eq!(second.netns.links(), [""; 0]);
    container.del().success();
    ground.assert_clean("passthru");
    let after = ground.node().netns().link(UPLINK).expect("an uplink")["address"].clone();
    assert_eq!(after, master, "the master keeps its own");
}

#[test]
fn the_mtu_is_the_masters_unless_a_smaller_one_is_asked_for() {
    let lan = Lan::new(&LanOptions {
        mtu: 9000,
        ..LanOptions::default()
    });
    let ground = Ground::on(lan, Kind::Embedded, WIDE, 1);
    for (asked, expected) in [(Value::Null, 9000), (json!(1400), 1400)] {
        let container = ground.container("a").with("/mtu", asked);
        let reply = container.add();
        assert_eq!(link(&container)["mtu"], expected);
        assert_eq!(reply.success()["interfaces"][0]["mtu"], expected);
        container.del().success();
    }
}

#[test]
fn a_hardware_address_may_be_asked_for_in_three_places() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let annotated = json!({
        "mac": "02:00:00:00:00:02",
        "io.kubernetes.cri.pod-annotations": {"berth.dev/mac": "02:00:00:00:00:01"},
    });
    let cases = [
        (annotated, "MAC=02:00:00:00:00:03", "02:00:00:00:00:01"),
        (
            json!({"mac": "02:00:00:00:00:02"}),
            "MAC=02:00:00:00:00:03",
            "02:00:00:00:00:02",
        ),
        (json!({}), "MAC=02:00:00:00:00:03", "02:00:00:00:00:03"),
        // In whichever case it is written.
        (json!({"mac": "0A:00:00:00:00:FF"}), "", "0a:00:00:00:00:ff"),
    ];
    for (runtime, args, expected) in cases {
        let container = ground.container("a").with("/runtimeConfig", runtime);
        let reply = container.add_with_args(args);
        assert_eq!(reply.success()["interfaces"][0]["mac"], expected);
        assert_eq!(link(&container)["address"], expected);
        container.assert_connected(reply.address());
        let holder = records::addresses(&ground)
            .into_iter()
            .find_map(|(_, record)| record.holder);
        assert_eq!(holder.expect("a holder").mac.to_string(), expected);
        container.check(&reply.json).success();
        container.del().success();
        ground.assert_clean(expected);
    }
}

#[test]
fn a_pools_routes_are_set_and_without_a_gateway_there_is_no_default_route() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    records::change_pool(&ground, "prod", |pool| {
        let routes = json!([{"dst": "10.99.0.0/16"}, {"dst": "10.98.0.0/16", "gw": "10.20.1.7"}]);
        let routes: Vec<berth_types::Route> = serde_json::from_value(routes).expect("routes");
        pool.subnets
            .iter_mut()
            .for_each(|subnet| subnet.routes.clone_from(&routes));
    });
    let container = ground.container("a");
    let result = container.add().success().clone();
    let expected = json!([
        {"dst": "0.0.0.0/0", "gw": "10.20.1.1"},
        {"dst": "10.99.0.0/16", "gw": "10.20.1.1"},
        {"dst": "10.98.0.0/16", "gw": "10.20.1.7"},
    ]);
    assert_eq!(result["routes"], expected);
    let shown = container.netns.ip_json(&["route", "show", "10.98.0.0/16"]);
    assert_eq!(shown[0]["gateway"], "10.20.1.7");
    container.check(&result).success();
    container.del().success();

    records::change_pool(&ground, "prod", |pool| {
        pool.subnets.iter_mut().for_each(|subnet| {
            subnet.gateway = None;
            subnet.routes.clear();
        });
    });
    let result = container.add().success().clone();
    assert_eq!(result["ips"][0].get("gateway"), None);
    assert_eq!(
        container.netns.ip_json(&["route", "show", "default"]),
        json!([])
    );
    container.check(&result).success();
}

#[test]
fn a_new_address_is_announced_on_the_lan() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let mut capture = ground.lan.capture_arp();
    let loud = ground.container("loud");
    let silent = ground.container("silent").with("/announce", json!(false));
    let asking = ground
        .container("asking")
        .with("/runtimeConfig", json!({"mac": "02:00:00:00:00:05"}));
    let [loud, asking, silent] = [&loud, &asking, &silent].map(|container| {
        let reply = container.add();
        let IpAddr::V4(address) = reply.address() else {
            panic!("an IPv4 address")
        };
        let mac = reply.success()["interfaces"][0]["mac"]
            .as_str()
            .expect("a MAC")
            .to_owned();
        (address, mac)
    });
    for (address, mac) in [&loud, &asking] {
        wait::until(Duration::from_secs(3), "the address is announced", || {
            capture.frames().iter().any(|frame| {
                let sender = frame.sender_mac.map(|byte| format!("{byte:02x}")).join(":");
                frame.announces(*address) && sender == *mac
            })
        });
    }
    // Frames arrive in order, and the silent one came last: give it as long as the others had.
    let announced = wait::becomes_true(Duration::from_millis(300), || {
        capture
            .frames()
            .iter()
            .any(|frame| frame.announces(silent.0))
    });
    assert!(!announced, "{silent:?} was announced");
    // The link's first hardware address, which it has before its own, never spoke.
    let early = capture
        .frames()
        .iter()
        .find(|frame| frame.sender_ip == loud.0 && !frame.sender_mac.starts_with(&[0x0a, 0x58]));
    assert_eq!(early, None);
}

/// A namespace that has no `eth0` but other links keeps them.
#[test]
fn other_links_of_the_container_are_left_alone() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    container
        .netns
        .ip(&["link", "add", "eth1", "type", "bridge"]);
    container.add().success();
    container.del().success();
    assert_eq!(container.netns.links(), ["eth1"]);
}

#[test]
fn a_master_that_cannot_carry_a_macvlan_is_refused() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a").with("/master", json!("lo"));
    let error = container.refused(7, &[]);
    assert!(error.details.contains("lo"), "{error:?}");
    let container = ground.container("b");
    let call = Call {
        ifname: "lo",
        ..container.call_of("ADD")
    };
    assert_names(&container.answer(&call).failure(), 4, &["lo"]);
    assert_eq!(ground.held(), NOTHING);
}
