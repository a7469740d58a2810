//! Many at once, and two about one port.

use std::collections::BTreeSet;

use super::port_of;
use crate::concurrency::all_at_once;
use crate::ground::{Ground, Kind, NARROW, WIDE};

fn many(kind: Kind) {
    let ground = Ground::switched(kind, WIDE);
    let containers: Vec<_> = (0..32)
        .map(|n| ground.container(&format!("c{n}")))
        .collect();
    let replies = all_at_once(&containers, "ADD");
    let given: BTreeSet<_> = replies.iter().map(e2e::plugin::Reply::address).collect();
    assert_eq!(given.len(), 32, "all differ: {given:?}");
    assert_eq!(ground.ovs().ports().len(), 32);
    for (container, reply) in containers.iter().zip(&replies).step_by(7) {
        container.assert_connected(reply.address());
    }
    for reply in all_at_once(&containers, "DEL") {
        reply.success();
    }
    ground.assert_clean("all deleted at once");
}

#[test]
fn thirty_two_adds_at_once_give_thirty_two_ports_embedded() {
    many(Kind::Embedded);
}

#[test]
fn thirty_two_adds_at_once_give_thirty_two_ports_etcd() {
    many(Kind::Etcd);
}

#[test]
fn two_adds_of_one_interface_at_once_give_one_port() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::switched(kind, NARROW);
        for n in 0..5 {
            let container = ground.container(&format!("c{n}"));
            let running = [container.start("ADD"), container.start("ADD")];
            let [first, second] = running.map(|add| add.finish().address());
            assert_eq!(first, second);
            assert_eq!(ground.ovs().ports(), [port_of(&ground, &container)]);
            container.assert_connected(first);
            container.del().success();
        }
        ground.assert_clean("two ADDs at once");
    }
}

#[test]
fn add_and_del_of_one_container_at_once_end_all_or_nothing() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    for n in 0..8 {
        let container = ground.container(&format!("c{n}"));
        let running = ["ADD", "DEL", "ADD", "DEL"].map(|verb| container.start(verb));
        for call in running {
            call.finish().success();
        }
        assert_eq!(ground.held(), container.netns.addresses("eth0"));
        assert_eq!(ground.held().len(), ground.ovs().ports().len());
        container.del().success();
    }
    ground.assert_clean("ADDs and DELs at once");
}
