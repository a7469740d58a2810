//! A workload's own set of addresses, drawn from by annotation.

use crate::container::{Container, assert_names};
use crate::families::{self, BOTH, addresses};
use crate::ground::{Ground, Kind, NARROW, ip};
use crate::records;

/// A pod of the workload.
fn pod<'a>(ground: &'a Ground, name: &str) -> Container<'a> {
    let pod = ground
        .container(name)
        .of_pod(name, &format!("uid-of-{name}"));
    pod.annotated("berth.dev/reservation", "web")
}

fn rolling_update(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let set = ["10.20.1.5", "10.20.1.6"].map(ip);
    records::reserve(&ground, "shop/workload/web", "prod", &set);
    let [first, second, third] = ["web-1", "web-2", "web-3"].map(|name| pod(&ground, name));
    let mut given = [first.add().address(), second.add().address()];
    first.assert_connected(given[0]);
    given.sort();
    assert_eq!(given, set, "its pods have what is reserved for it");

    let error = third.add().failure();
    assert_names(
        &error,
        11,
        &["shop/workload/web", "2", "n1/pods/web-1/eth0"],
    );
    assert!(error.details.contains("maxSurge"), "{error:?}");
    assert_eq!(third.netns.links(), [""; 0]);

    let freed = first.netns.addresses("eth0");
    first.del().success();
    assert_eq!(
        vec![third.add().address()],
        freed,
        "what the old pod gave up"
    );
    second.del().success();
    third.del().success();
    ground.assert_clean("a workload");
    let kept = records::addresses(&ground);
    assert_eq!(
        kept.iter()
            .filter(|(_, r)| r.reserved_for.is_some())
            .count(),
        2
    );
}

#[test]
fn a_set_too_small_for_a_rolling_update_is_11_and_says_what_to_change_embedded() {
    rolling_update(Kind::Embedded);
}

#[test]
fn a_set_too_small_for_a_rolling_update_is_11_and_says_what_to_change_etcd() {
    rolling_update(Kind::Etcd);
}

#[test]
fn a_reserved_address_is_given_to_nobody_else() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let set = ["10.20.1.5", "10.20.1.6"].map(ip);
    records::reserve(&ground, "shop/workload/web", "prod", &set);
    let others: Vec<_> = (0..12)
        .map(|n| ground.container(&format!("other-{n}")))
        .collect();
    let (last, fit) = others.split_last().expect("twelve");
    for other in fit {
        assert!(!set.contains(&other.add().address()));
    }
    let error = last.add().failure();
    assert_names(&error, 101, &["prod", "2 reserved"]);
    let asking = ground
        .container("b")
        .annotated("berth.dev/addresses", "10.20.1.5");
    assert_names(
        &asking.add().failure(),
        102,
        &["10.20.1.5", "shop/workload/web"],
    );
    let member = pod(&ground, "web-1").annotated("berth.dev/addresses", "10.20.1.6");
    assert_eq!(
        member.add().address(),
        ip("10.20.1.6"),
        "one of the set by name"
    );
    let stranger = pod(&ground, "web-2").annotated("berth.dev/addresses", "10.20.1.7");
    assert_names(
        &stranger.add().failure(),
        105,
        &["10.20.1.7", "shop/workload/web"],
    );
}

#[test]
fn a_set_of_both_families_gives_one_of_each() {
    let ground = families::ground(Kind::Embedded, BOTH);
    let set = ["10.20.1.5", "fd00:20::5"].map(ip);
    records::reserve(&ground, "shop/workload/web", "prod", &set);
    let container = pod(&ground, "web-1");
    assert_eq!(addresses(container.add().success()), set);
    container.assert_reached(&set);
    container.del().success();
    ground.assert_clean("a set of both families");
}

#[test]
fn a_new_sandbox_of_a_pod_takes_its_reserved_address_over() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    records::reserve(&ground, "shop/workload/web", "prod", &[ip("10.20.1.5")]);
    let [old, new] = ["old", "new"].map(|id| {
        let sandbox = ground.container(id).of_pod("web-1", "u1");
        sandbox.annotated("berth.dev/reservation", "web")
    });
    old.add().success();
    assert_eq!(new.add().address(), ip("10.20.1.5"));
    assert_eq!(old.netns.links(), [""; 0]);
    old.del().success();
    new.assert_connected(ip("10.20.1.5"));
    new.del().success();
    ground.assert_clean("a pod of a workload");
}

#[test]
fn a_reservation_of_another_pool_needs_that_pools_name() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    ground.create_pool("blue", &["--subnet", "10.21.0.0/28"]);
    records::reserve(&ground, "shop/workload/web", "blue", &[ip("10.21.0.5")]);
    let unnamed = pod(&ground, "web-1");
    assert_names(&unnamed.add().failure(), 7, &["shop/workload/web", "blue"]);
    let named = pod(&ground, "web-1").annotated("berth.dev/pool", "blue");
    assert_eq!(named.add().address(), ip("10.21.0.5"));
    named.del().success();
    let none = pod(&ground, "web-1").with("/ipam/pool", serde_json::Value::Null);
    assert_eq!(none.add().address(), ip("10.21.0.5"));
    none.del().success();
    ground.assert_clean("a set of another pool");
}
