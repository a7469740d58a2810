//! On the wire: who has an address already, whether the gateway is there, and who is told.

mod announcements;
mod conflicts;
mod doubts;
mod gateway;
mod proxy;
mod routers;
mod switched;

use std::net::IpAddr;

use berth_types::MacAddr;
use e2e::capture::ArpCapture;
use e2e::lan::UPLINK;
use e2e::netns::Netns;
use e2e::plugin::Reply;
use serde_json::json;

use crate::container::Container;
use crate::families::{BOTH, ground};
use crate::ground::{Ground, Kind, ip};

/// The addresses that the containers here ask for.
const FOUR: &str = "10.20.1.7";
const SIX: &str = "fd00:20::7";

/// A hardware address of a machine that is not ours.
pub(crate) const FOREIGN: &str = "02:00:00:00:00:99";

/// A LAN of both families with `nodes` nodes.
pub(crate) fn both(nodes: usize) -> Ground {
    with_nodes(ground(Kind::Embedded, BOTH), nodes)
}

/// The same with a pool of the family of `address` alone, from which the hardware address follows.
fn of_family(address: &str, nodes: usize) -> Ground {
    let (four, six) = BOTH.split_at(4);
    let pool = if address.contains(':') { six } else { four };
    with_nodes(ground(Kind::Embedded, pool), nodes)
}

fn with_nodes(mut ground: Ground, nodes: usize) -> Ground {
    for n in 2..=nodes {
        let node = ground.lan.node(&format!("n{n}"));
        ground.nodes.push(node);
    }
    ground
}

/// A container that asks for that address by name, and for a look at the wire whenever it gets one.
fn asking<'a>(ground: &'a Ground, id: &str, address: &str) -> Container<'a> {
    ground
        .container(id)
        .with("/runtimeConfig", json!({"ips": [address]}))
        .with("/conflictCheck", json!("always"))
}

/// `address` with the length of its subnet, as `ip` wants it.
fn cidr(address: &str) -> String {
    let prefix = if address.contains(':') { 112 } else { 28 };
    format!("{address}/{prefix}")
}

/// Gives a link an address that nobody asked Berth for, and that hardware address.
pub(crate) fn occupy(netns: &Netns, link: &str, mac: &str, address: &str) {
    netns.ip(&["link", "set", link, "address", mac, "up"]);
    let mut add = vec!["address", "add"];
    let cidr = cidr(address);
    add.extend([cidr.as_str(), "dev", link]);
    if address.contains(':') {
        add.push("nodad");
    }
    netns.ip(&add);
}

/// A container that somebody made by hand on the first node, with that hardware address.
fn sibling(ground: &Ground, mac: &str, address: &str) -> Netns {
    let netns = Netns::new("sibling");
    let path = netns.path().display().to_string();
    let name = ["link", "add", "link", UPLINK, "name", "made0"];
    let kind = ["netns", &path, "type", "macvlan", "mode", "bridge"];
    ground.node().netns().ip(&[&name[..], &kind[..]].concat());
    occupy(&netns, "made0", mac, address);
    netns
}

/// How many probes for `address` went over the LAN so far.
fn probes(capture: &mut ArpCapture, address: IpAddr) -> usize {
    let IpAddr::V4(address) = address else {
        panic!("an IPv4 address")
    };
    let frames = capture.frames().iter();
    frames.filter(|frame| frame.probes(address)).count()
}

/// The hardware address that an interface with `address` has.
fn derived(address: &str) -> String {
    MacAddr::of_address(ip(address)).to_string()
}

/// Every address of a result.
fn given(reply: &Reply) -> Vec<IpAddr> {
    let ips = reply.success()["ips"].as_array().cloned();
    let address = |ip: serde_json::Value| ip["address"].as_str()?.split('/').next()?.parse().ok();
    let given = ips.unwrap_or_default().into_iter().map(address);
    given.collect::<Option<_>>().expect("addresses")
}
