//! The life of one pod.

use std::net::{IpAddr, Ipv4Addr};

use e2e::debian;
use e2e::site::Site;
use serde_json::json;

use crate::{assert_nothing_is_left, containerd, pod, running};

#[test]
fn a_pod_has_the_address_that_the_store_says_it_has() {
    let site = Site::with_embedded_store();
    let containerd = containerd(&site);

    let id = containerd
        .cri()
        .run(&pod(&site, "cart-0"))
        .expect("run a pod");

    let (sandbox, address) = running(&containerd, &id);
    let IpAddr::V4(v4) = address else {
        panic!("{address} is not of the pool")
    };
    assert_eq!(
        v4.octets()[..3],
        [10, 20, 1],
        "{address} is not of the pool"
    );
    let holder = site.holder(address);
    assert!(
        holder.to_string().contains(&id),
        "{address} is held by {holder}, not by {id}"
    );
    let ip = debian::require("ip", "iproute2");
    let shown = site.run_in(&sandbox.netns, &ip, &["-brief", "address", "show", "eth0"]);
    assert!(
        shown.contains(&format!("{address}/24")),
        "the pod's interface: {shown}"
    );
}

#[test]
fn a_pod_and_the_gateway_reach_each_other() {
    let site = Site::with_embedded_store();
    let containerd = containerd(&site);

    let id = containerd
        .cri()
        .run(&pod(&site, "cart-0"))
        .expect("run a pod");

    let (sandbox, address) = running(&containerd, &id);
    assert!(
        site.lan().netns().ping(address),
        "the gateway reaches the pod"
    );
    let gateway = Ipv4Addr::new(10, 20, 1, 1).to_string();
    let ping = debian::require("ping", "iputils-ping");
    site.run_in(
        &sandbox.netns,
        &ping,
        &["-n", "-q", "-c", "1", "-W", "2", &gateway],
    );
}

#[test]
fn the_store_knows_the_pod_by_namespace_name_and_uid() {
    let site = Site::with_embedded_store();
    let containerd = containerd(&site);

    let id = containerd
        .cri()
        .run(&pod(&site, "cart-0"))
        .expect("run a pod");

    let (_, address) = running(&containerd, &id);
    let holder = site.holder(address);
    let known = json!({"namespace": "shop", "name": "cart-0", "uid": "uid-of-cart-0"});
    assert_eq!(holder["pod"], known, "{holder}");
}

#[test]
fn a_pod_gets_the_address_that_its_annotation_asks_for() {
    let site = Site::with_embedded_store();
    let containerd = containerd(&site);
    let mut pod = pod(&site, "cart-0");
    pod.annotations
        .insert("berth.dev/addresses".to_owned(), "10.20.1.77".to_owned());

    let id = containerd.cri().run(&pod).expect("run a pod");

    let (_, address) = running(&containerd, &id);
    assert_eq!(address, IpAddr::from([10, 20, 1, 77]));
}

/// By the capability `bandwidth`, of which containerd makes a rate and a burst beyond all measure,
/// and by the annotation itself.
#[test]
fn case_66_a_pods_limits_are_those_of_its_annotations() {
    for capability in [true, false] {
        let site = Site::with_embedded_store();
        let mut plugin = site.plugin();
        plugin["capabilities"]["bandwidth"] = json!(capability);
        site.configure(&plugin);
        let containerd = containerd(&site);
        let mut pod = pod(&site, "cart-0");
        for (direction, rate) in [("ingress", "10M"), ("egress", "20M")] {
            let annotation = format!("kubernetes.io/{direction}-bandwidth");
            pod.annotations.insert(annotation, rate.to_owned());
        }

        let id = containerd.cri().run(&pod).expect("run a pod");

        let (sandbox, address) = running(&containerd, &id);
        let tc = debian::require("tc", "iproute2");
        let shown = site.run_in(&sandbox.netns, &tc, &["qdisc", "show"]);
        for limit in ["rate 10Mbit burst 15180b", "rate 20Mbit burst 15180b"] {
            assert!(shown.contains(limit), "{capability}: no {limit} in {shown}");
        }
        assert!(site.lan().netns().ping(address), "the gateway reaches it");
        containerd.cri().stop(&id).expect("stop the pod");
        containerd.cri().remove(&id).expect("remove the pod");
        assert_nothing_is_left(&site, &[address]);
    }
}

#[test]
fn a_stopped_and_removed_pod_leaves_nothing() {
    let site = Site::with_embedded_store();
    let containerd = containerd(&site);
    let id = containerd
        .cri()
        .run(&pod(&site, "cart-0"))
        .expect("run a pod");
    let (_, address) = running(&containerd, &id);

    containerd.cri().stop(&id).expect("stop the pod");
    let stopped = containerd
        .cri()
        .status(&id)
        .expect("a stopped sandbox is known");
    assert_eq!((stopped.ready, stopped.address), (false, None));
    containerd.cri().remove(&id).expect("remove the pod");

    assert!(
        containerd.cri().status(&id).is_none(),
        "a removed sandbox is unknown"
    );
    assert_nothing_is_left(&site, &[address]);
}

#[test]
fn the_second_del_without_a_namespace_succeeds_like_the_first() {
    let site = Site::with_embedded_store();
    let containerd = containerd(&site);
    let id = containerd
        .cri()
        .run(&pod(&site, "cart-0"))
        .expect("run a pod");

    containerd.cri().stop(&id).expect("stop the pod");
    containerd.cri().remove(&id).expect("remove the pod");

    let calls = site.calls();
    let of_pod: Vec<_> = calls.iter().filter(|call| call.container == id).collect();
    let commands: Vec<&str> = of_pod.iter().map(|call| call.command.as_str()).collect();
    assert_eq!(commands, ["ADD", "DEL", "DEL"]);
    assert_eq!(
        of_pod[1].netns, of_pod[0].netns,
        "the first DEL names the namespace"
    );
    assert_eq!(of_pod[2].netns, "", "the second does not");
    assert!(of_pod.iter().all(|call| call.status == 0), "{of_pod:?}");
}
