//! A bond as master.

use serde_json::json;

use super::tagged::Tagged;
use crate::container::Container;
use crate::ground::Kind;

/// The node's uplink and a second cable to the LAN, bonded as `bond1`; one of them works at a time.
fn bond(tagged: &Tagged) {
    let lan = tagged.ground.lan.netns();
    let node = tagged.ground.node().netns();
    let path = node.path().display().to_string();
    let ends = ["link", "add", "second", "type", "veth", "peer", "name"];
    lan.ip(&[ends.as_slice(), &["uplink1", "netns", &path]].concat());
    lan.ip(&["link", "set", "second", "master", "br0", "up"]);
    node.ip(&[
        "link",
        "add",
        "bond1",
        "type",
        "bond",
        "mode",
        "active-backup",
        "miimon",
        "50",
    ]);
    for slave in ["uplink0", "uplink1"] {
        node.ip(&["link", "set", slave, "down"]);
        node.ip(&["link", "set", slave, "master", "bond1"]);
    }
    node.ip(&["link", "set", "bond1", "up"]);
}

fn assert_survives(tagged: &Tagged, container: &Container<'_>, parent: &str) {
    container.add().success();
    tagged.assert_on(container, parent);
    let addresses = container.netns.addresses("eth0");
    for port in ["port1", "second"] {
        let lan = tagged.ground.lan.netns();
        lan.ip(&["link", "set", port, "down"]);
        let gateway = format!("{}", addresses[0]);
        let gateway = gateway.rsplit_once('.').expect("IPv4").0.to_owned() + ".1";
        let reached = || container.netns.ping(gateway.parse().expect("an address"));
        e2e::wait::until(
            std::time::Duration::from_secs(20),
            "the other cable serves",
            reached,
        );
        lan.ip(&["link", "set", port, "up"]);
        e2e::wait::until(
            std::time::Duration::from_secs(20),
            "both cables serve",
            reached,
        );
    }
    container.del().success();
}

#[test]
#[ignore = "needs bonding: runs in ./test.sh vm"]
fn a_container_on_a_bond_survives_the_loss_of_a_cable() {
    let tagged = Tagged::new(Kind::Embedded);
    bond(&tagged);
    let master = json!(["absent0", "bond1"]);
    let container = tagged.ground.container("a").with("/master", master);
    assert_survives(&tagged, &container, "bond1");
    assert_eq!(tagged.links(), ["uplink1", "bond1"]);
}

#[test]
#[ignore = "needs bonding and 802.1Q: runs in ./test.sh vm"]
fn so_does_one_in_a_vlan_on_a_bond() {
    let tagged = Tagged::new(Kind::Embedded);
    bond(&tagged);
    let container = tagged.by_pool("a", 120).with("/master", json!("bond1"));
    assert_survives(&tagged, &container, "bond1.120");
    assert_eq!(tagged.links(), ["uplink1", "bond1"]);
}
