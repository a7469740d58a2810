//! A LAN that loses and delays frames while containers are started; and what fits through it.

use std::process::Command;

use e2e::debian;
use e2e::netns::Netns;
use e2e::process;
use serde_json::json;

use super::tagged::Tagged;
use crate::ground::{Ground, Kind, WIDE};

/// Has every frame on its way out of `ifname` treated like that.
fn netem(namespace: &Netns, ifname: &str, how: &[&str]) {
    let mut tc = namespace.command(debian::require("tc", "iproute2"));
    tc.args(["qdisc", "replace", "dev", ifname, "root", "netem"])
        .args(how);
    process::output(&mut tc);
}

#[test]
#[ignore = "needs netem: runs in ./test.sh vm"]
fn an_add_over_a_lan_that_loses_frames_gives_all_or_nothing() {
    let mut ground = Ground::new(Kind::Etcd, WIDE);
    ground.patience_ms = 8000;
    let node = ground.node();
    for (namespace, ifname) in [(ground.lan.netns(), "port1"), (node.netns(), "uplink0")] {
        netem(namespace, ifname, &["delay", "10ms", "5ms", "loss", "15%"]);
    }
    let containers: Vec<_> = (0..10)
        .map(|n| ground.container(&format!("c{n}")))
        .collect();
    let mut held = Vec::new();
    for container in &containers {
        let reply = container.add();
        if reply.status.success() {
            held.push(reply.address());
            assert_eq!(container.netns.links(), ["eth0"]);
        } else {
            assert_eq!(container.netns.links(), [""; 0], "{reply:?}");
        }
    }
    assert!(held.len() >= 5, "most are started: {held:?}");
    for container in &containers {
        container.del().success();
    }
    for (namespace, ifname) in [(ground.lan.netns(), "port1"), (node.netns(), "uplink0")] {
        netem(namespace, ifname, &["delay", "0ms"]);
    }
    // What was released to the journal meanwhile is released by the next call.
    let last = ground.container("last");
    last.add().success();
    last.del().success();
    ground.assert_clean("frames were lost");
}

/// Whether `bytes` of data and the headers of ICMP and IP reach `to` in one piece.
fn fits(from: &Netns, to: &str, bytes: u32) -> bool {
    let mut ping: Command = from.command(debian::require("ping", "iputils-ping"));
    let size = bytes.to_string();
    ping.args([
        "-n", "-q", "-c", "2", "-W", "2", "-M", "do", "-s", &size, to,
    ]);
    ping.output().expect("run ping").status.success()
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn a_packet_of_the_mtu_fits_through_a_vlan_and_a_larger_one_is_told() {
    let tagged = Tagged::new(Kind::Embedded);
    for (id, mtu) in [("a", 1500), ("b", 1400)] {
        let container = tagged.by_pool(id, 120).with("/mtu", json!(mtu));
        container.add().success();
        assert_eq!(container.netns.link("eth0").expect("eth0")["mtu"], mtu);
        let headers = 28;
        assert!(fits(&container.netns, "10.21.1.1", mtu - headers), "{mtu}");
        assert!(
            !fits(&container.netns, "10.21.1.1", mtu - headers + 1),
            "{mtu}"
        );
    }
}

#[test]
#[ignore = "needs 802.1Q: runs in ./test.sh vm"]
fn a_narrower_way_behind_the_gateway_is_found_out() {
    let tagged = Tagged::new(Kind::Embedded);
    let lan = tagged.ground.lan.netns();
    let far = Netns::new("far");
    let path = far.path().display().to_string();
    let ends = [
        "link", "add", "narrow", "mtu", "1300", "type", "veth", "peer", "name", "eth0",
    ];
    lan.ip(&[ends.as_slice(), &["mtu", "1300", "netns", &path]].concat());
    lan.ip(&["address", "add", "10.77.0.1/24", "dev", "narrow"]);
    lan.ip(&["link", "set", "narrow", "up"]);
    far.ip(&["address", "add", "10.77.0.2/24", "dev", "eth0"]);
    far.ip(&["link", "set", "eth0", "up"]);
    far.ip(&["route", "add", "default", "via", "10.77.0.1"]);
    lan.run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
        .expect("forward");

    let container = tagged.by_pool("a", 120);
    container.add().success();
    assert!(
        !fits(&container.netns, "10.77.0.2", 1472),
        "too large for the way"
    );
    let route = container.netns.ip_json(&["route", "get", "10.77.0.2"]);
    assert_eq!(
        route[0]["metrics"][0]["mtu"], 1300,
        "learnt from the gateway: {route}"
    );
    assert!(fits(&container.netns, "10.77.0.2", 1272));
}
