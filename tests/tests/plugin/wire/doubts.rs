//! Addresses that were taken from a holder that was not heard: asked for whatever the configuration
//! says.

use std::net::IpAddr;

use e2e::lan::UPLINK;
use serde_json::json;

use super::{FOREIGN, derived, occupy, sibling};
use crate::container::assert_names;
use crate::ground::{Ground, Kind, ip};
use crate::records;

/// 10.20.1.2 alone.
const ONE: &[&str] = &["--subnet", "10.20.1.0/30", "--gateway", "10.20.1.1"];

/// A pool whose one address is doubtful.
fn doubtful(kind: Kind) -> (Ground, IpAddr) {
    let ground = Ground::with_nodes(kind, ONE, 2);
    let address = ip("10.20.1.2");
    let first = ground.container("first");
    assert_eq!(first.add().address(), address);
    first.del().success();
    records::change_address(&ground, address, |record| record.unproven = true);
    (ground, address)
}

fn is_unproven(ground: &Ground, address: IpAddr) -> bool {
    let known = records::addresses(ground);
    let found = known.into_iter().find(|(known, _)| *known == address);
    found.expect("its record").1.unproven
}

fn given_after_silence(kind: Kind) {
    let (ground, address) = doubtful(kind);
    let host = ground.nodes[1].netns();
    occupy(host, UPLINK, FOREIGN, "10.20.1.2");
    for mode in ["off", "takeover", "always"] {
        let container = ground.container("a").with("/conflictCheck", json!(mode));
        let error = container.refused(103, &["10.20.1.2", FOREIGN]);
        assert!(!error.details.is_empty());
        assert!(is_unproven(&ground, address), "kept out after {mode}");
    }
    host.ip(&["address", "flush", "dev", UPLINK]);
    let container = ground.container("b").with("/conflictCheck", json!("off"));
    let reply = container.add();
    assert_eq!(reply.address(), address);
    container.assert_connected(address);
    assert!(!is_unproven(&ground, address), "nobody answered");
    container.check(&reply.json).success();
    container.del().success();
    assert!(!is_unproven(&ground, address), "and it stays proven");
    ground.assert_clean("an address that was doubtful");
}

#[test]
fn a_doubtful_address_is_given_after_silence_and_kept_out_after_an_answer_embedded() {
    given_after_silence(Kind::Embedded);
}

#[test]
fn a_doubtful_address_is_given_after_silence_and_kept_out_after_an_answer_etcd() {
    given_after_silence(Kind::Etcd);
}

#[test]
fn the_delegated_plugin_which_cannot_ask_is_given_none() {
    let (mut ground, address) = doubtful(Kind::Embedded);
    ground.plugin = e2e::plugin::Plugin::at(e2e::plugin::program("berth-ipam", "berth-cni"));
    let mut config = ground.config();
    let ipam = config["ipam"].as_object_mut().expect("a section");
    ipam.insert("type".into(), json!("berth-ipam"));
    ipam.insert("node".into(), json!(ground.node().name()));
    ipam.insert("runDir".into(), json!(ground.node().file("run")));
    ipam.insert("stateDir".into(), json!(ground.node().file("state")));
    config["type"] = json!("bridge");
    let mut container = ground.container("a");
    container.config = config;
    assert_names(&container.add().failure(), 101, &["1 unproven"]);
    assert!(is_unproven(&ground, address));
}

#[test]
fn an_address_whose_hardware_address_is_anothers_on_the_same_parent_is_doubtful() {
    let ground = Ground::new(Kind::Embedded, ONE);
    let address = ip("10.20.1.2");
    let twin = sibling(&ground, &derived("10.20.1.2"), "10.20.1.2");
    let container = ground.container("a");
    // Nobody asked; the kernel has no room for two of them.
    assert_names(&container.add().failure(), 103, &[&derived("10.20.1.2")]);
    container.del().success();
    assert!(is_unproven(&ground, address));
    twin.ip(&["link", "del", "made0"]);
    let mut capture = ground.lan.capture_arp();
    assert_eq!(container.add().address(), address);
    assert_eq!(super::probes(&mut capture, address), 3);
    assert!(!is_unproven(&ground, address));
}
