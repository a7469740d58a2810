//! Many at once: on one node, on several, for one container.

use std::collections::BTreeSet;
use std::net::IpAddr;

use e2e::lan::Node;
use serde_json::json;

use crate::container::Container;
use crate::ground::{Ground, Kind, WIDE};

/// Calls all at once, and answers with what each got.
pub(crate) fn all_at_once(containers: &[Container<'_>], command: &str) -> Vec<e2e::plugin::Reply> {
    let running: Vec<_> = containers
        .iter()
        .map(|container| container.start(command))
        .collect();
    running
        .into_iter()
        .map(e2e::plugin::Running::finish)
        .collect()
}

/// ADDs `each` containers on every node of `on` at once, looks, and deletes them at once.
fn many(ground: &Ground, on: &[&Node], each: usize) {
    let containers: Vec<_> = (0..each)
        .flat_map(|n| {
            on.iter()
                .map(move |node| ground.container_on(node, &format!("c{n}")))
        })
        .map(|container| container.with("/ipam/store", ground.store()))
        .collect();
    let replies = all_at_once(&containers, "ADD");
    let given: Vec<IpAddr> = replies.iter().map(e2e::plugin::Reply::address).collect();
    let different: BTreeSet<_> = given.iter().copied().collect();
    assert_eq!(different.len(), containers.len(), "all differ: {given:?}");
    assert_eq!(ground.held(), different.iter().copied().collect::<Vec<_>>());
    for (container, address) in containers.iter().zip(&given).step_by(7) {
        container.assert_connected(*address);
    }
    for reply in all_at_once(&containers, "DEL") {
        reply.success();
    }
    for container in &containers {
        assert_eq!(container.netns.links(), [""; 0], "{}", container.id);
    }
    ground.assert_clean("all deleted at once");
}

fn one_node(kind: Kind) {
    let ground = Ground::new(kind, WIDE);
    many(&ground, &[ground.node()], 64);
}

#[test]
fn sixty_four_adds_at_once_give_sixty_four_addresses_embedded() {
    one_node(Kind::Embedded);
}

#[test]
fn sixty_four_adds_at_once_give_sixty_four_addresses_etcd() {
    one_node(Kind::Etcd);
}

/// Four nodes share etcd on the LAN, or a folder of the machine they all are on.
fn four_nodes(kind: Kind) {
    let ground = Ground::with_nodes(kind, WIDE, 4);
    let nodes: Vec<&Node> = ground.nodes.iter().collect();
    many(&ground, &nodes, 16);
}

#[test]
fn four_nodes_of_sixteen_adds_at_once_give_sixty_four_addresses_embedded() {
    four_nodes(Kind::Embedded);
}

#[test]
fn four_nodes_of_sixteen_adds_at_once_give_sixty_four_addresses_etcd() {
    four_nodes(Kind::Etcd);
}

/// The pool is used to its last address, also when all ask at once.
fn last_addresses(kind: Kind) {
    let ground = Ground::with_nodes(kind, crate::ground::NARROW, 2);
    let containers: Vec<_> = (0..16)
        .map(|n| ground.container_on(&ground.nodes[n % 2], &format!("c{n}")))
        .collect();
    let replies = all_at_once(&containers, "ADD");
    let given: BTreeSet<IpAddr> = replies
        .iter()
        .filter(|r| r.status.success())
        .map(e2e::plugin::Reply::address)
        .collect();
    assert_eq!(given.len(), 13, "all of the pool: {given:?}");
    for refused in replies.iter().filter(|reply| !reply.status.success()) {
        assert_eq!(refused.failure().code, 101, "{refused:?}");
    }
    for reply in all_at_once(&containers, "DEL") {
        reply.success();
    }
    ground.assert_clean("more asked than there are");
}

#[test]
fn when_more_ask_at_once_than_there_are_all_are_given_and_the_others_refused_embedded() {
    last_addresses(Kind::Embedded);
}

#[test]
fn when_more_ask_at_once_than_there_are_all_are_given_and_the_others_refused_etcd() {
    last_addresses(Kind::Etcd);
}

#[test]
fn one_address_asked_for_by_many_at_once_is_given_once() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let asked = json!({"ips": ["10.20.1.99"]});
        let containers: Vec<_> = (0..8)
            .map(|n| {
                ground
                    .container(&format!("c{n}"))
                    .with("/runtimeConfig", asked.clone())
            })
            .collect();
        let replies = all_at_once(&containers, "ADD");
        let won = replies
            .iter()
            .filter(|reply| reply.status.success())
            .count();
        assert_eq!(won, 1, "{replies:#?}");
        for refused in replies.iter().filter(|reply| !reply.status.success()) {
            assert_eq!(refused.failure().code, 102);
        }
        assert_eq!(ground.held(), [IpAddr::from([10, 20, 1, 99])]);
    }
}

#[test]
fn two_adds_of_one_interface_at_once_give_one_address_and_one_link() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        for n in 0..5 {
            let container = ground.container(&format!("c{n}"));
            let running = [container.start("ADD"), container.start("ADD")];
            let [first, second] = running.map(|add| add.finish().address());
            assert_eq!(first, second);
            assert_eq!(ground.held(), [first]);
            container.assert_connected(first);
            container.del().success();
        }
        ground.assert_clean("two ADDs at once");
    }
}

#[test]
fn add_and_del_of_one_container_at_once_end_all_or_nothing() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        for n in 0..8 {
            let container = ground.container(&format!("c{n}"));
            let running = ["ADD", "DEL", "ADD", "DEL"].map(|verb| container.start(verb));
            for call in running {
                call.finish().success();
            }
            assert_eq!(
                ground.held(),
                container.netns.addresses("eth0"),
                "the store agrees"
            );
            container.del().success();
        }
        ground.assert_clean("ADDs and DELs at once");
    }
}
