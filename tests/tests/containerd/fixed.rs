//! Pods that keep their address, or have one of their workload's set.

use std::net::IpAddr;

use berth_store::{AnyStore, Compare, Outcome, Store as _, StoreConfig, Txn, Write};
use berth_types::{
    AddressRecord, PoolName, Record as _, ReservationId, ReservationPolicy, ReservationRecord,
    SchemaVersion, keys,
};
use e2e::containerd::cri::Pod;
use e2e::site::{POOL, Site};

use crate::{assert_nothing_is_left, containerd, pod, running};

fn annotated(mut pod: Pod, name: &str, value: &str) -> Pod {
    pod.annotations.insert(name.to_owned(), value.to_owned());
    pod
}

#[test]
fn a_sticky_pod_that_is_made_anew_has_its_address_again() {
    let site = Site::with_embedded_store();
    let containerd = containerd(&site);
    let first = annotated(pod(&site, "cart-0"), "berth.dev/sticky", "true");
    let id = containerd.cri().run(&first).expect("run a pod");
    let (_, address) = running(&containerd, &id);
    containerd.cri().stop(&id).expect("stop the pod");
    containerd.cri().remove(&id).expect("remove the pod");

    let other = containerd
        .cri()
        .run(&pod(&site, "other"))
        .expect("run another pod");
    assert_ne!(running(&containerd, &other).1, address, "it is kept");
    let second = Pod {
        uid: "uid-of-the-next-cart-0".to_owned(),
        ..first
    };
    let id = containerd.cri().run(&second).expect("run the pod anew");
    assert_eq!(running(&containerd, &id).1, address);
    for id in [other, id] {
        containerd.cri().stop(&id).expect("stop a pod");
        containerd.cri().remove(&id).expect("remove a pod");
    }
    assert_nothing_is_left(&site, &[address]);
}

/// Case 22: kubelet makes a new sandbox while the old one is still there.
#[test]
fn a_new_sandbox_of_a_sticky_pod_takes_the_address_over_and_the_old_ones_end_leaves_it() {
    let site = Site::with_embedded_store();
    let containerd = containerd(&site);
    let first = annotated(pod(&site, "cart-0"), "berth.dev/sticky", "true");
    let old = containerd.cri().run(&first).expect("run a pod");
    let (_, address) = running(&containerd, &old);
    let second = Pod {
        attempt: 1,
        ..first
    };
    let new = containerd.cri().run(&second).expect("run the next sandbox");
    assert_eq!(running(&containerd, &new).1, address);

    containerd.cri().stop(&old).expect("stop the old sandbox");
    containerd
        .cri()
        .remove(&old)
        .expect("remove the old sandbox");
    assert!(
        site.lan().netns().ping(address),
        "the gateway reaches the new sandbox"
    );
    assert_eq!(site.holder(address)["pod"]["name"], "cart-0");
    containerd.cri().stop(&new).expect("stop the new sandbox");
    containerd
        .cri()
        .remove(&new)
        .expect("remove the new sandbox");
    assert_nothing_is_left(&site, &[address]);
}

#[test]
fn a_pod_draws_from_its_workloads_set_and_a_set_too_small_is_told() {
    let site = Site::with_embedded_store();
    let address = IpAddr::from([10, 20, 1, 77]);
    reserve(&site, "shop/workload/cart", address);
    let containerd = containerd(&site);
    let of_set = |name| annotated(pod(&site, name), "berth.dev/reservation", "cart");
    let old = containerd.cri().run(&of_set("cart-a")).expect("run a pod");
    assert_eq!(running(&containerd, &old).1, address);
    let refused = containerd
        .cri()
        .run(&of_set("cart-b"))
        .expect_err("the set is used up");
    for told in ["shop/workload/cart", "shop/cart-a", "maxSurge"] {
        assert!(
            refused.message().contains(told),
            "{told} is not in {refused}"
        );
    }
    containerd.cri().stop(&old).expect("stop the old pod");
    containerd.cri().remove(&old).expect("remove the old pod");
    let new = containerd
        .cri()
        .run(&of_set("cart-b"))
        .expect("run the new pod");
    assert_eq!(running(&containerd, &new).1, address);
    containerd.cri().stop(&new).expect("stop the new pod");
    containerd.cri().remove(&new).expect("remove the new pod");
    assert_nothing_is_left(&site, &[address]);
}

/// Reserves an address that nobody has held yet, before any plugin is called.
fn reserve(site: &Site, id: &str, address: IpAddr) {
    let id: ReservationId = id.parse().expect("a reservation's id");
    let pool: PoolName = POOL.parse().expect("a pool's name");
    let record = ReservationRecord {
        v: SchemaVersion,
        pool: pool.clone(),
        addresses: vec![address],
        policy: ReservationPolicy::Kept,
        since: "2026-11-21T00:00:00Z".parse().expect("a time"),
    };
    let mut member = AddressRecord::unused(pool);
    member.reserved_for = Some(id.clone());
    let key = keys::address(address);
    let txn = Txn {
        compares: vec![Compare::absent(key.as_str())],
        writes: vec![
            Write::put(keys::reservation(&id), record.encode()),
            Write::put(key, member.encode()),
        ],
        otherwise: Vec::new(),
    };
    let store = StoreConfig::Embedded(site.node().file("ipam"));
    let store = AnyStore::open(&store).expect("open the store");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime.expect("an event loop").block_on(store.commit(&txn));
    assert!(matches!(outcome, Ok(Outcome::Committed(_))), "{outcome:?}");
}
