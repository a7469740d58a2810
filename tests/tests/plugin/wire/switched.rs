//! The same through Open vSwitch: on one bridge, across hosts, and within a VLAN.

use std::net::IpAddr;
use std::time::Duration;

use e2e::lan::UPLINK;
use e2e::netns::Netns;
use e2e::ovs::BRIDGE;
use e2e::wait;
use serde_json::{Value, json};

use super::{FOREIGN, FOUR, SIX, asking, derived, given, occupy, probes, with_nodes};
use crate::container::assert_names;
use crate::families::{BOTH, six_gateway};
use crate::ground::{GATEWAY, Ground, Kind, WIDE, ip};
use crate::records;

/// A LAN of both families whose first node has Open vSwitch.
fn both(nodes: usize) -> Ground {
    let ground = with_nodes(Ground::switched(Kind::Embedded, BOTH), nodes);
    six_gateway(&ground, "fd00:20::1/112");
    ground
}

/// A machine that somebody connected to the bridge by hand, in that VLAN.
fn neighbour(ground: &Ground, vlan: Option<u16>) -> Netns {
    let netns = Netns::new("neighbour");
    let path = netns.path().display().to_string();
    let ends = ["link", "add", "hand0", "type", "veth", "peer", "name"];
    let node = ground.node().netns();
    node.ip(&[&ends[..], &["made0", "netns", &path]].concat());
    node.ip(&["link", "set", "hand0", "up"]);
    let tag = vlan.map(|vlan| format!("tag={vlan}"));
    let mut add = vec!["--may-exist", "add-port", BRIDGE, "hand0"];
    add.extend(tag.as_deref());
    ground.ovs().vsctl(&add);
    netns
}

/// It goes, with its port.
fn disconnect(ground: &Ground, neighbour: Netns) {
    ground.ovs().vsctl(&["del-port", BRIDGE, "hand0"]);
    ground.node().netns().ip(&["link", "del", "hand0"]);
    drop(neighbour);
}

#[test]
fn case_68_a_holder_on_another_host_is_found_through_the_bridge() {
    for address in [FOUR, SIX] {
        let ground = both(2);
        occupy(ground.nodes[1].netns(), UPLINK, FOREIGN, address);
        let container = asking(&ground, "a", address);
        container.refused(103, &[address, FOREIGN]);
        container.del().success();
    }
}

#[test]
fn case_69_a_holder_with_the_derived_hardware_address_is_found_on_the_same_bridge() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let mac = derived(FOUR);
    let holder = neighbour(&ground, None);
    occupy(&holder, "made0", &mac, FOUR);
    let error = asking(&ground, "a", FOUR).add().failure();
    assert_names(&error, 103, &[FOUR, &mac]);
    assert_eq!(records::addresses(&ground).len(), 1, "its mark");
    disconnect(&ground, holder);
    let container = asking(&ground, "b", FOUR);
    assert_eq!(container.add().address(), ip(FOUR), "nobody answers");
    container.assert_connected(ip(FOUR));
    container.del().success();
    ground.assert_clean("a holder on the bridge");
}

#[test]
fn a_holder_is_found_in_its_vlan_and_in_no_other() {
    for (theirs, ours, found) in [
        (Some(7), json!(7), true),
        (Some(8), json!(7), false),
        (None, json!(7), false),
        (Some(7), json!(null), false),
    ] {
        for address in [FOUR, SIX] {
            let ground = both(1);
            let holder = neighbour(&ground, theirs);
            occupy(&holder, "made0", FOREIGN, address);
            let container = asking(&ground, "a", address).with("/vlan", ours.clone());
            let case = format!("{address}: theirs {theirs:?}, ours {ours}");
            let reply = container.add();
            if found {
                assert_names(&reply.failure(), 103, &[address, FOREIGN]);
            } else {
                assert!(given(&reply).contains(&ip(address)), "{case}");
            }
            container.del().success();
            disconnect(&ground, holder);
            ground.assert_clean(&case);
        }
    }
}

/// The old sandbox was on a node with macvlan; the new one is behind the bridge.
#[test]
fn a_fixed_address_moves_behind_the_bridge_only_in_silence_etcd() {
    let mut ground = with_nodes(Ground::switched(Kind::Etcd, WIDE), 3);
    ground.patience_ms = 3000;
    let sandbox = |node: usize, id: &str| {
        ground
            .container_on(&ground.nodes[node], id)
            .of_pod("web-0", "u1")
            .annotated("berth.dev/sticky", "true")
            .with("/conflictCheck", json!("takeover"))
    };
    let old = sandbox(1, "old");
    let address = old.add().address();
    let new = sandbox(0, "new");
    assert_names(&new.add().failure(), 11, &[&address.to_string()]);
    old.del().success();
    let host = ground.nodes[2].netns();
    occupy(host, UPLINK, FOREIGN, &address.to_string());
    let error = new.add().failure();
    assert_names(&error, 103, &[&address.to_string(), FOREIGN]);
    assert_eq!(ground.ovs().ports(), [""; 0]);
    host.ip(&["address", "flush", "dev", UPLINK]);
    let mut capture = ground.lan.capture_arp();
    assert_eq!(new.add().address(), address, "the pod keeps it");
    assert_eq!(probes(&mut capture, address), 3);
    new.assert_connected(address);
    new.del().success();
    ground.assert_clean("a pod that moved");
}

#[test]
fn a_gateway_is_asked_through_the_bridge_and_missed_in_another_vlan() {
    let ground = both(1);
    let container = ground.container("a").with("/gatewayCheck", json!(true));
    let reply = container.add();
    container.assert_reached(&given(&reply));
    container.del().success();
    let tagged = ground
        .container("b")
        .with("/gatewayCheck", json!(true))
        .with("/vlan", json!(9));
    tagged.refused(104, &["10.20.1.1"]);
    ground.lan.netns().ip(&["address", "flush", "dev", "br0"]);
    let container = ground.container("c").with("/gatewayCheck", json!(true));
    container.refused(104, &[&GATEWAY.to_string()]);
}

/// A frame that is sent before the switch has the port is lost; nobody sends it again.
#[test]
fn announcements_arrive_on_the_lan_and_on_the_bridge() {
    let ground = both(1);
    let peer = neighbour(&ground, None);
    occupy(&peer, "made0", "02:00:00:00:00:55", "10.20.1.14");
    peer.ip(&["address", "add", "fd00:20::14/112", "dev", "made0", "nodad"]);
    let IpAddr::V4(four) = ip(FOUR) else {
        panic!("an IPv4 address")
    };
    let remembered = |address: &str| {
        let shown = peer.ip_json(&["neigh", "show", "to", address, "dev", "made0"]);
        shown[0]["lladdr"].as_str().map(str::to_owned)
    };
    for n in 0..5 {
        for address in [FOUR, SIX] {
            let entry = ["neigh", "replace", address, "lladdr", FOREIGN];
            peer.ip(&[&entry[..], &["dev", "made0", "nud", "stale"]].concat());
        }
        let mut capture = ground.lan.capture_arp();
        let wish = json!({"ips": [FOUR, SIX]});
        let container = ground.container("a").with("/runtimeConfig", wish);
        let mac: Value = container.add().success()["interfaces"][1]["mac"].clone();
        for operation in [1, 2] {
            let what = format!("announcement {operation} of ADD {n}");
            wait::until(Duration::from_secs(3), &what, || {
                let frames = capture.frames().iter();
                let mut own = frames.filter(|frame| frame.operation == operation);
                own.any(|frame| frame.announces(four))
            });
        }
        for address in [FOUR, SIX] {
            let what = format!("{address} is corrected after ADD {n}");
            wait::until(Duration::from_secs(3), &what, || {
                remembered(address).is_some_and(|known| mac == known)
            });
        }
        container.del().success();
    }
    disconnect(&ground, peer);
    ground.assert_clean("announcements");
}
