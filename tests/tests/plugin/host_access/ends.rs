//! The ends on the node: what a container can do to its node by them, and what others do to them.

use std::fs;

use e2e::lan::Node;
use e2e::process;

use super::{By, container, ground};
use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE};

/// A switch of the end's IPv6.
fn six(node: &Node, end: &str, switch: &str) -> String {
    let path = format!("/proc/sys/net/ipv6/conf/{end}/{switch}");
    let read = node.netns().run(|| fs::read_to_string(&path));
    read.expect("a switch of the kernel's").trim().to_owned()
}

fn end_of(result: &serde_json::Value) -> String {
    let end = result["interfaces"][0]["name"].as_str();
    end.expect("the node's end").to_owned()
}

/// What a container advertises there would else give the node addresses and a default route.
#[test]
fn a_container_is_no_router_to_its_node() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let four = container(&ground, "four");
    let end = end_of(four.add().success());
    assert_eq!(six(ground.node(), &end, "disable_ipv6"), "1", "IPv4 alone");

    let ground = super::ground(Kind::Embedded, By::Macvlan);
    let both = container(&ground, "both");
    let end = end_of(both.add().success());
    assert_eq!(six(ground.node(), &end, "accept_ra"), "0", "both families");
}

/// With the datapath in user space the node's kernel hears what containers send, too.
#[test]
fn a_container_behind_a_port_is_no_router_to_its_node() {
    let ground = ground(Kind::Embedded, By::Ovs);
    let container = ground.container("a");
    let end = end_of(container.add().success());
    assert!(end.starts_with("bv"), "{end}");
    assert_eq!(six(ground.node(), &end, "disable_ipv6"), "1");
}

/// `udev` changes the hardware address of a link whose address the kernel made up
/// (`MACAddressPolicy=persistent`), which the container would not get to know of.
#[test]
fn the_hardware_address_of_the_nodes_end_is_no_accident() {
    let ground = ground(Kind::Embedded, By::Macvlan);
    let container = container(&ground, "a");
    let end = end_of(container.add().success());
    let look = format!("mount -t sysfs none /sys && cat /sys/class/net/{end}/addr_assign_type");
    let mut command = ground.node().netns().command("unshare");
    let kind = process::output(command.args(["--mount", "sh", "-c", &look]));
    // `NET_ADDR_SET` of linux/netdevice.h; `NET_ADDR_RANDOM` is 1.
    assert_eq!(kind.trim(), "3");
}

#[test]
fn a_link_in_the_way_of_the_containers_end_is_named() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = container(&ground, "a");
    let inside = &container.netns;
    inside.ip(&["link", "add", "bh-eth0", "type", "veth", "peer", "other"]);
    let error = container.add().failure();
    assert_names(&error, 4, &["hostAccess", "bh-eth0"]);
    ground.assert_clean("in the way");
}
