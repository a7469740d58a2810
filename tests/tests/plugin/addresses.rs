//! Which address a container gets: asked for, by pool, again.

use std::net::IpAddr;

use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE, ip};

#[test]
fn an_address_may_be_asked_for_in_four_places() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let annotation = json!({"berth.dev/addresses": "10.20.1.101"});
        let annotated =
            json!({"ips": ["10.20.1.102"], "io.kubernetes.cri.pod-annotations": annotation});
        let asked = json!({"cni": {"ips": ["10.20.1.103"]}});
        // The first place that asks is heard.
        let cases = [
            (annotated, asked.clone(), "IP=10.20.1.104", "10.20.1.101"),
            (
                json!({"ips": ["10.20.1.102/24"]}),
                asked.clone(),
                "IP=10.20.1.104",
                "10.20.1.102",
            ),
            (json!({"ips": []}), asked, "IP=10.20.1.104", "10.20.1.103"),
            (json!({}), json!({}), "IP=10.20.1.104", "10.20.1.104"),
        ];
        for (runtime, args, cni_args, expected) in cases {
            let container = ground
                .container("a")
                .with("/runtimeConfig", runtime)
                .with("/args", args);
            let reply = container.add_with_args(cni_args);
            assert_eq!(reply.address(), ip(expected));
            container.assert_connected(ip(expected));
            // A repeated call asks for the same again.
            assert_eq!(container.add_with_args(cni_args).address(), ip(expected));
            container.del().success();
        }
        ground.assert_clean("addresses asked for");
    }
}

#[test]
fn a_bad_annotation_is_named() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for (annotation, value) in [
        ("berth.dev/addresses", "10.20.1.300"),
        ("berth.dev/addresses", "10.20.1.5,10.20.1.6"),
        ("berth.dev/pool", "No Pool"),
        ("berth.dev/mac", "ff:ff:ff:ff:ff:ff"),
    ] {
        let annotations = json!({"io.kubernetes.cri.pod-annotations": {annotation: value}});
        let container = ground.container("a").with("/runtimeConfig", annotations);
        let named: &[&str] = if value.contains(',') {
            &[annotation]
        } else {
            &[annotation, value]
        };
        container.refused(7, named);
    }
}

#[test]
fn a_pods_annotation_names_its_pool() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    ground.create_pool("blue", &["--subnet", "10.21.0.0/24"]);
    let annotations = json!({"io.kubernetes.cri.pod-annotations": {"berth.dev/pool": "blue"}});
    let container = ground
        .container("a")
        .with("/runtimeConfig", annotations.clone());
    let IpAddr::V4(address) = container.add().address() else {
        panic!("an IPv4 address")
    };
    assert_eq!(address.octets().first_chunk(), Some(&[10, 21, 0]));
    let listed = ground.cnictl(&["ip", "list", "--pool", "blue", "-o", "json"]);
    assert!(listed.contains(&address.to_string()), "{listed}");
    container.del().success();

    let unnamed = ground
        .container("a")
        .with("/runtimeConfig", annotations)
        .with("/ipam/pool", json!(null));
    unnamed.add().success();
    unnamed.del().success();
    ground.assert_clean("a pool by annotation");
}

#[test]
fn an_address_rests_as_long_as_there_are_others() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let mut seen = Vec::new();
        for _ in 0..8 {
            let container = ground.container("a");
            let address = container.add().address();
            assert!(
                !seen.contains(&address),
                "{address} was given again at once: {seen:?}"
            );
            seen.push(address);
            container.del().success();
        }
    }
}

#[test]
fn an_address_asked_for_that_another_node_holds_is_refused() {
    let ground = Ground::with_nodes(Kind::Etcd, WIDE, 2);
    let [first, second] = [0, 1].map(|n| {
        let asked = json!({"ips": ["10.20.1.50"]});
        ground
            .container_on(&ground.nodes[n], "a")
            .with("/runtimeConfig", asked)
    });
    first.add().success();
    let error = second.add().failure();
    assert_names(&error, 102, &["10.20.1.50", "n1/pods/a/eth0"]);
    second.del().success();
    assert_eq!(
        ground.holder(ip("10.20.1.50")).as_deref(),
        Some("n1/pods/a/eth0")
    );
    first.del().success();
    second.add().success();
    assert_eq!(
        ground.holder(ip("10.20.1.50")).as_deref(),
        Some("n2/pods/a/eth0")
    );
}

/// A container started anew under its old id may ask for another address than it had.
#[test]
fn a_second_life_that_asks_for_another_address_gives_the_first_up() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let first = ground.container("a");
        first.add().success();
        let second = ground
            .container("a")
            .with("/runtimeConfig", json!({"ips": ["10.20.1.200"]}));
        assert_eq!(second.add().address(), ip("10.20.1.200"));
        assert_eq!(ground.held(), [ip("10.20.1.200")]);
        assert_eq!(first.netns.links(), [""; 0]);
        second.del().success();
        ground.assert_clean("a second life");
    }
}
