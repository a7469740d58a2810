//! `conflictCheck`: a foreign host has the address.

use std::time::Duration;

use e2e::lan::UPLINK;
use serde_json::json;

use super::{
    FOREIGN, FOUR, SIX, asking, both, cidr, derived, given, occupy, of_family, probes, sibling,
};
use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE, ip};
use crate::records;

/// The ADD of a container that asks for `address` is refused, says who has it, and leaves nothing
/// but the mark that keeps the address out of use.
#[track_caller]
fn assert_found(ground: &Ground, address: &str, mac: &str) {
    let container = asking(ground, "a", address);
    let error = container.refused(103, &[address, mac]);
    let known = records::addresses(ground);
    for (known, record) in known {
        let answered = known == ip(address);
        assert_eq!(record.unproven, answered, "{known} after {error:?}");
    }
    container.del().success();
}

#[test]
fn case_68_a_foreign_host_is_found_and_named() {
    for address in [FOUR, SIX] {
        let ground = both(2);
        occupy(ground.nodes[1].netns(), UPLINK, FOREIGN, address);
        assert_found(&ground, address, FOREIGN);
    }
}

#[test]
fn case_69_a_holder_with_the_derived_hardware_address_is_found_on_another_host() {
    for address in [FOUR, SIX] {
        let (ground, mac) = (of_family(address, 2), derived(address));
        occupy(ground.nodes[1].netns(), UPLINK, &mac, address);
        assert_found(&ground, address, &mac);
    }
}

#[test]
fn case_69_a_holder_with_the_derived_hardware_address_is_found_on_the_same_parent() {
    for address in [FOUR, SIX] {
        let (ground, mac) = (of_family(address, 1), derived(address));
        let _sibling = sibling(&ground, &mac, address);
        assert_found(&ground, address, &mac);
    }
}

#[test]
fn a_foreign_sibling_on_the_same_parent_is_found() {
    for address in [FOUR, SIX] {
        let ground = both(1);
        let _sibling = sibling(&ground, FOREIGN, address);
        assert_found(&ground, address, FOREIGN);
    }
}

#[test]
fn where_nobody_answers_an_add_takes_a_third_of_a_second_longer() {
    let ground = both(1);
    let container = asking(&ground, "a", FOUR);
    let mut capture = ground.lan.capture_arp();
    let reply = container.add();
    let addresses = given(&reply);
    assert_eq!(addresses[0], ip(FOUR));
    assert_eq!(probes(&mut capture, ip(FOUR)), 3);
    // It listens for 230 to 300 ms; the rest is for a busy machine.
    let spent = reply.elapsed;
    assert!(spent > Duration::from_millis(230), "{spent:?}");
    assert!(spent < Duration::from_secs(1), "{spent:?}");
    let [link] = container
        .netns
        .ip_json(&["link", "show", "eth0"])
        .as_array()
        .cloned()
        .expect("links")
        .try_into()
        .expect("one");
    assert_eq!(link["address"], derived(FOUR), "its own hardware address");
    let seen = container.netns.addresses("eth0");
    assert!(addresses.iter().all(|address| seen.contains(address)));
    assert!(ground.lan.netns().ping(addresses[0]) && ground.lan.netns().ping(addresses[1]));
    let known = records::addresses(&ground);
    assert!(known.iter().all(|(_, record)| !record.unproven));
}

#[test]
fn case_68_the_retry_of_a_container_without_a_wish_gets_another_address() {
    let ground = both(2);
    let host = ground.nodes[1].netns();
    occupy(host, UPLINK, FOREIGN, "10.20.1.2");
    let first = ground
        .container("a")
        .with("/conflictCheck", json!("always"));
    first.refused(103, &["10.20.1.2", FOREIGN]);
    let second = ground
        .container("b")
        .with("/conflictCheck", json!("always"));
    assert_ne!(given(&second.add())[0], ip("10.20.1.2"));
}

#[test]
fn case_71_the_check_can_be_switched_off_and_is_off_for_an_ordinary_address() {
    let ground = both(2);
    occupy(ground.nodes[1].netns(), UPLINK, FOREIGN, FOUR);
    for (id, mode) in [
        ("a", json!("off")),
        ("b", json!("takeover")),
        ("c", json!(null)),
    ] {
        let container = asking(&ground, id, FOUR).with("/conflictCheck", mode.clone());
        assert_eq!(given(&container.add())[0], ip(FOUR), "{mode}");
        container.del().success();
    }
}

#[test]
fn a_fixed_address_that_was_waited_for_is_taken_only_in_silence() {
    let mut ground = Ground::with_nodes(Kind::Etcd, WIDE, 3);
    ground.patience_ms = 3000;
    let sandbox = |node: usize, id: &str| {
        ground
            .container_on(&ground.nodes[node], id)
            .of_pod("web-0", "u1")
            .annotated("berth.dev/sticky", "true")
    };
    let old = sandbox(0, "old");
    let address = old.add().address();
    let new = sandbox(1, "new");
    assert_names(&new.add().failure(), 11, &[&address.to_string()]);
    old.del().success();
    // Its record says that it is free, but something on the LAN has it.
    let host = ground.nodes[2].netns();
    occupy(host, UPLINK, FOREIGN, &address.to_string());
    for _ in 0..2 {
        let error = new.add().failure();
        assert_names(&error, 103, &[&address.to_string(), FOREIGN]);
        new.del().success();
    }
    host.ip(&["address", "flush", "dev", UPLINK]);
    let mut capture = ground.lan.capture_arp();
    assert_eq!(new.add().address(), address, "the pod keeps it");
    assert_eq!(probes(&mut capture, address), 3);
    new.del().success();
    // Proven, and given up in order: nobody has to ask any more.
    let next = sandbox(0, "next");
    assert_eq!(next.add().address(), address);
    assert_eq!(probes(&mut capture, address), 3, "no more than before");
}

#[test]
fn a_master_without_a_carrier_proves_nothing() {
    let ground = both(1);
    ground.lan.unplug(ground.node());
    let error = asking(&ground, "a", FOUR).add().failure();
    assert_eq!(error.code, 11, "{error:?}");
    ground.lan.plug(ground.node());
}

/// A pool that somebody made over the node's own addresses. A macvlan does not hear its own node.
#[test]
fn an_address_of_the_node_itself_is_not_given() {
    let ground = both(1);
    for address in [FOUR, SIX] {
        let node = ground.node().netns();
        let mut add = vec!["address", "add"];
        let own = cidr(address);
        add.extend([own.as_str(), "dev", UPLINK]);
        add.extend(address.contains(':').then_some("nodad"));
        node.ip(&add);
        for (id, field, value) in [
            ("plain", "/conflictCheck", json!("off")),
            ("checked", "/conflictCheck", json!("always")),
            ("accessed", "/hostAccess", json!(true)),
        ] {
            let asking = asking(&ground, id, address).with(field, value);
            asking.refused(103, &[address, "node"]);
            let shown = ground.cnictl(&["ip", "show", address]);
            assert!(shown.contains("unproven"), "{id}: {shown}");
        }
    }
    // Whoever wants any address gets another.
    let other = ground.container("other");
    other.add().success();
}
