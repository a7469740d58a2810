//! containerd is restarted while pods run, as on every upgrade.

use e2e::site::Site;

use crate::{assert_nothing_is_left, containerd, pod, running};

#[test]
fn pods_keep_their_addresses_over_a_restart_of_containerd() {
    let site = Site::with_embedded_store();
    let mut containerd = containerd(&site);
    let start = |name| containerd.cri().run(&pod(&site, name)).expect("run a pod");
    let pods = ["cart-0", "cart-1", "cart-2"].map(start);
    let before = pods.each_ref().map(|id| running(&containerd, id).1);
    let calls_before = site.calls();

    containerd.restart();

    let after = pods.each_ref().map(|id| running(&containerd, id).1);
    assert_eq!(after, before);
    assert_eq!(site.calls(), calls_before, "a restart makes no call");
    for address in after {
        assert!(
            site.lan().netns().ping(address),
            "the gateway reaches {address}"
        );
    }
    for id in &pods {
        containerd.cri().stop(id).expect("stop a pod");
        containerd.cri().remove(id).expect("remove a pod");
    }
    assert_nothing_is_left(&site, &after);
}
