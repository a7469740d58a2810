//! Many pods at once, as when a node comes back.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;

use e2e::site::Site;

use crate::{assert_nothing_is_left, containerd, pod, running};

/// Pods started at once.
pub(crate) const PODS: usize = 20;

#[test]
fn twenty_pods_at_once_have_twenty_addresses_that_all_answer() {
    let site = Site::with_embedded_store();
    let containerd = containerd(&site);
    let cri = containerd.cri();
    let pods: Vec<_> = (0..PODS)
        .map(|n| pod(&site, &format!("cart-{n}")))
        .collect();

    let ids = at_once(&pods, |pod| cri.run(pod).expect("run a pod"));

    let addresses: Vec<IpAddr> = ids.iter().map(|id| running(&containerd, id).1).collect();
    let different: BTreeSet<_> = addresses.iter().collect();
    assert_eq!(different.len(), PODS, "{addresses:?}");
    for address in &addresses {
        assert!(
            site.lan().netns().ping(*address),
            "the gateway reaches {address}"
        );
    }
    at_once(&ids, |id| cri.stop(id).expect("stop a pod"));
    at_once(&ids, |id| cri.remove(id).expect("remove a pod"));
    assert_eq!(cri.sandboxes(), [""; 0], "sandboxes known to containerd");
    assert_nothing_is_left(&site, &addresses);
}

/// Does `action` with every item at once, each on a thread of its own.
pub(crate) fn at_once<I: Sync, O: Send>(items: &[I], action: impl Fn(&I) -> O + Sync) -> Vec<O> {
    thread::scope(|scope| {
        let action = &action;
        let running: Vec<_> = items
            .iter()
            .map(|item| scope.spawn(move || action(item)))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    })
}
