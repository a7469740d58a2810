//! Pods end also while the store is away, and none begin.

use e2e::site::Site;

use crate::{assert_nothing_is_left, containerd, pod, running};

#[test]
fn a_pod_is_removed_without_the_store_and_its_address_free_when_it_is_back() {
    let site = Site::with_etcd();
    let containerd = containerd(&site);
    let id = containerd
        .cri()
        .run(&pod(&site, "cart-0"))
        .expect("run a pod");
    let (_, address) = running(&containerd, &id);

    site.etcd().pause();
    containerd
        .cri()
        .stop(&id)
        .expect("a pod stops without the store");
    containerd
        .cri()
        .remove(&id)
        .expect("a pod is removed without the store");
    let link = site.enclosure().network_namespaces();
    site.etcd().resume();

    assert_eq!(link, [""; 0], "network namespaces while the store was away");
    let next = containerd
        .cri()
        .run(&pod(&site, "cart-1"))
        .expect("the store is back");
    containerd.cri().stop(&next).expect("stop the pod");
    containerd.cri().remove(&next).expect("remove the pod");
    assert_nothing_is_left(&site, &[address]);
}

#[test]
fn a_pod_begun_without_the_store_fails_with_our_message_and_leaves_nothing() {
    let site = Site::with_etcd();
    let containerd = containerd(&site);

    site.etcd().pause();
    let error = containerd
        .cri()
        .run(&pod(&site, "cart-0"))
        .expect_err("nobody gives an address");
    site.etcd().resume();

    assert!(error.message().contains(&site.etcd().endpoint()), "{error}");
    assert_eq!(
        containerd.cri().sandboxes(),
        [""; 0],
        "sandboxes known to containerd"
    );
    let next = containerd
        .cri()
        .run(&pod(&site, "cart-1"))
        .expect("the store is back");
    let (_, address) = running(&containerd, &next);
    containerd.cri().remove(&next).expect("remove the pod");
    assert_nothing_is_left(&site, &[address]);
}
