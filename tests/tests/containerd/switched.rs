//! The driver `ovs`: the same pods, behind a bridge.

use std::collections::BTreeSet;
use std::net::IpAddr;

use e2e::debian;
use e2e::site::Site;
use serde_json::json;

use crate::many::{PODS, at_once};
use crate::{assert_nothing_is_left, containerd, pod, running};

#[test]
fn a_pod_behind_the_bridge_is_reached_and_its_port_names_it() {
    let site = Site::switched();
    let containerd = containerd(&site);
    let cri = containerd.cri();

    let id = cri.run(&pod(&site, "cart-0")).expect("run a pod");

    let (sandbox, address) = running(&containerd, &id);
    assert!(site.holder(address).to_string().contains(&id));
    assert!(site.lan().netns().ping(address), "the gateway reaches it");
    let ping = debian::require("ping", "iputils-ping");
    let once = ["-n", "-q", "-c", "1", "-W", "2", "10.20.1.1"];
    site.run_in(&sandbox.netns, &ping, &once);
    let [port] = &site.ovs().ports()[..] else {
        panic!("one port of {:?}", site.ovs().ports())
    };
    for (key, value) in [
        ("container", &*id),
        ("ifname", "eth0"),
        ("namespace", "shop"),
        ("pod", "cart-0"),
    ] {
        assert_eq!(site.ovs().external_id(port, key).as_deref(), Some(value));
    }

    cri.stop(&id).expect("stop the pod");
    assert_eq!(site.links(), [""; 0], "the first DEL removed all");
    cri.remove(&id).expect("remove the pod");
    let calls = site.calls();
    let of_pod = calls.iter().filter(|call| call.container == id);
    let commands: Vec<_> = of_pod.map(|call| (&*call.command, call.status)).collect();
    assert_eq!(commands, [("ADD", 0), ("DEL", 0), ("DEL", 0)]);
    assert_nothing_is_left(&site, &[address]);
}

#[test]
fn twenty_pods_at_once_have_a_port_each() {
    let site = Site::switched();
    let containerd = containerd(&site);
    let cri = containerd.cri();
    let pods: Vec<_> = (0..PODS)
        .map(|n| pod(&site, &format!("cart-{n}")))
        .collect();

    let ids = at_once(&pods, |pod| cri.run(pod).expect("run a pod"));

    let addresses: Vec<IpAddr> = ids.iter().map(|id| running(&containerd, id).1).collect();
    let different: BTreeSet<_> = addresses.iter().collect();
    assert_eq!(different.len(), PODS, "{addresses:?}");
    assert_eq!(site.ovs().ports().len(), PODS);
    for address in &addresses {
        let reached = site.lan().netns().ping(*address);
        assert!(reached, "the gateway reaches {address}");
    }
    at_once(&ids, |id| cri.stop(id).expect("stop a pod"));
    at_once(&ids, |id| cri.remove(id).expect("remove a pod"));
    assert_nothing_is_left(&site, &addresses);
}

#[test]
fn a_missing_bridge_fails_the_pod_with_our_message_and_leaves_nothing() {
    let site = Site::switched();
    let mut plugin = site.plugin();
    plugin["bridge"] = json!("br-none");
    site.configure(&plugin);
    let containerd = containerd(&site);

    let failed = containerd.cri().run(&pod(&site, "cart-0"));

    let error = failed.expect_err("there is no br-none");
    assert!(error.message().contains("br-none"), "{error}");
    assert_nothing_is_left(&site, &[]);
}

/// What a pod that ended meanwhile leaves in the database goes with the next call.
#[test]
fn a_pod_that_ends_with_the_database_away_leaves_nothing_for_long() {
    let site = Site::switched();
    let containerd = containerd(&site);
    let cri = containerd.cri();
    let id = cri.run(&pod(&site, "cart-0")).expect("run a pod");
    let (_, address) = running(&containerd, &id);

    site.ovs().kill_database();
    cri.stop(&id).expect("stop the pod");
    cri.remove(&id).expect("remove the pod");
    assert!(site.holder(address).is_null(), "{address} is still held");
    site.ovs().start_database();
    site.ovs().settle();

    let next = cri.run(&pod(&site, "cart-1")).expect("run another pod");
    let (_, second) = running(&containerd, &next);
    assert!(site.lan().netns().ping(second), "the gateway reaches it");
    assert_eq!(site.ovs().ports().len(), 1, "its own");
    cri.stop(&next).expect("stop the pod");
    cri.remove(&next).expect("remove the pod");
    assert_nothing_is_left(&site, &[address, second]);
}
