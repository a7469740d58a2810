//! `berth` as containerd 1.6 calls it, seen from both of its ends: the runtime's CRI socket, and
//! the network and the store.
#![expect(clippy::expect_used, reason = "the helpers belong to the tests")]

mod failures;
mod fixed;
mod many;
mod pods;
mod restart;
mod store_away;
mod switched;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use e2e::containerd::Containerd;
use e2e::containerd::cri::{Pod, Sandbox};
use e2e::site::Site;
use e2e::wait;

/// Starts containerd on `site`, with its network configuration loaded.
fn containerd(site: &Site) -> Containerd<'_> {
    let containerd = Containerd::start(site.enclosure());
    wait::until(
        Duration::from_secs(10),
        "containerd has loaded the network",
        || containerd.cri().network_is_ready(),
    );
    containerd
}

/// A pod called `name` in the namespace `shop`, with a uid made from the name.
fn pod(site: &Site, name: &str) -> Pod {
    Pod {
        name: name.to_owned(),
        namespace: "shop".to_owned(),
        uid: format!("uid-of-{name}"),
        attempt: 0,
        annotations: HashMap::new(),
        labels: HashMap::new(),
        cgroup: site.enclosure().cgroup().path(),
    }
}

/// The status of the running sandbox `id`, and its address.
#[track_caller]
fn running(containerd: &Containerd<'_>, id: &str) -> (Sandbox, IpAddr) {
    let sandbox = containerd
        .cri()
        .status(id)
        .expect("containerd knows the sandbox");
    assert!(sandbox.ready, "sandbox {id} is not ready");
    let address = sandbox.address.expect("a ready sandbox has an address");
    (sandbox, address)
}

/// Nothing of any pod is on the node any more, and nobody holds any of `addresses`.
#[track_caller]
fn assert_nothing_is_left(site: &Site, addresses: &[IpAddr]) {
    for address in addresses {
        let holder = site.holder(*address);
        assert!(holder.is_null(), "{address} is still held by {holder}");
    }
    let none: [String; 0] = [];
    assert_eq!(site.local_records(), none, "attachment records on the node");
    assert_eq!(
        site.enclosure().network_namespaces(),
        none,
        "network namespaces"
    );
    assert_eq!(site.links(), none, "links and ports on the node");
}
