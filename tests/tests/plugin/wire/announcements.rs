//! Neighbours are told of a new address once it can be answered.

use std::net::IpAddr;
use std::time::Duration;

use e2e::lan::UPLINK;
use e2e::wait;
use serde_json::json;

use super::{FOREIGN, FOUR, SIX, asking, both, derived};
use crate::ground::ip;

#[test]
fn an_address_is_announced_as_a_request_and_as_a_reply_also_after_a_probe() {
    let ground = both(1);
    let mut capture = ground.lan.capture_arp();
    for (id, mode) in [("a", "off"), ("b", "always")] {
        let before = capture.frames().len();
        let container = asking(&ground, id, FOUR).with("/conflictCheck", json!(mode));
        container.add().success();
        let IpAddr::V4(address) = ip(FOUR) else {
            panic!("an IPv4 address")
        };
        for operation in [1, 2] {
            wait::until(Duration::from_secs(3), "it is announced", || {
                let frames = &capture.frames()[before..];
                frames.iter().any(|frame| {
                    let mac = frame.sender_mac.map(|byte| format!("{byte:02x}")).join(":");
                    frame.announces(address) && frame.operation == operation && mac == derived(FOUR)
                })
            });
        }
        let frames = &capture.frames()[before..];
        let probes = frames.iter().filter(|frame| frame.probes(address));
        let expected = if mode == "always" { 3 } else { 0 };
        assert_eq!(probes.clone().count(), expected, "{mode}");
        for probe in probes {
            let mac = probe.sender_mac.map(|byte| format!("{byte:02x}")).join(":");
            assert_ne!(mac, derived(FOUR), "not under the hardware address to come");
            assert!(mac.starts_with("02:"), "locally administered: {mac}");
        }
        container.del().success();
    }
}

#[test]
fn what_neighbours_remembered_is_corrected() {
    let ground = both(2);
    let host = ground.nodes[1].netns();
    for address in ["10.20.1.14/28", "fd00:20::14/112"] {
        let nodad: &[&str] = if address.contains(':') {
            &["nodad"]
        } else {
            &[]
        };
        host.ip(&[&["address", "add", address, "dev", UPLINK], nodad].concat());
    }
    let remembered = |address: &str| {
        let shown = host.ip_json(&["neigh", "show", "to", address, "dev", UPLINK]);
        shown[0]["lladdr"].as_str().map(str::to_owned)
    };
    for (announce, told) in [(false, false), (true, true)] {
        for address in [FOUR, SIX] {
            let entry = ["neigh", "replace", address, "lladdr", FOREIGN];
            host.ip(&[&entry[..], &["dev", UPLINK, "nud", "stale"]].concat());
        }
        let container = ground
            .container("a")
            .with("/runtimeConfig", json!({"ips": [FOUR, SIX]}))
            .with("/announce", json!(announce));
        let reply = container.add();
        let mac = reply.success()["interfaces"][0]["mac"].clone();
        for address in [FOUR, SIX] {
            let corrected = wait::becomes_true(Duration::from_millis(500), || {
                remembered(address).is_some_and(|known| mac == known)
            });
            assert_eq!(corrected, told, "{address}, announce: {announce}");
        }
        container.del().success();
    }
}

#[test]
fn a_node_without_a_carrier_is_served_all_the_same() {
    let ground = both(1);
    ground.lan.unplug(ground.node());
    let container = ground.container("a");
    container.add().success();
    ground.lan.plug(ground.node());
}

#[test]
fn no_socket_stays_behind_in_the_container() {
    let ground = both(1);
    let container = asking(&ground, "a", FOUR).with("/gatewayCheck", json!(true));
    container.add().success();
    let sockets = || {
        let listed = std::fs::read_to_string("/proc/thread-self/net/packet");
        listed.expect("the packet sockets").lines().skip(1).count()
    };
    // The plugin leaves them to the kernel.
    wait::until(Duration::from_secs(5), "they are closed", || {
        container.netns.run(sockets) == 0
    });
}
