//! A pod whose network cannot be had.

use e2e::site::{POOL, Site};
use serde_json::json;

use crate::{assert_nothing_is_left, containerd, pod, running};

#[test]
fn a_missing_master_fails_the_pod_with_our_message_and_leaves_nothing() {
    let site = Site::with_embedded_store();
    let mut plugin = site.plugin();
    plugin["master"] = json!("bond7");
    site.configure(&plugin);
    let containerd = containerd(&site);

    let error = containerd
        .cri()
        .run(&pod(&site, "cart-0"))
        .expect_err("there is no bond7");

    assert!(error.message().contains("bond7"), "{error}");
    assert_eq!(
        containerd.cri().sandboxes(),
        [""; 0],
        "sandboxes known to containerd"
    );
    let calls = site.calls();
    let outcomes: Vec<_> = calls
        .iter()
        .map(|call| (&*call.command, call.status == 0))
        .collect();
    assert_eq!(
        outcomes,
        [("ADD", false), ("DEL", true)],
        "containerd cleans up at once"
    );
    assert_eq!(held_addresses(&site), 0);
    assert_nothing_is_left(&site, &[]);
}

#[test]
fn an_exhausted_pool_fails_the_pod_with_our_message_and_spares_the_others() {
    let site = Site::with_embedded_store();
    // One address, the gateway apart.
    site.cnictl(&[
        "pool",
        "create",
        "tiny",
        "--subnet",
        "10.20.2.0/30",
        "--gateway",
        "10.20.2.1",
    ]);
    let mut plugin = site.plugin();
    plugin["ipam"]["pool"] = json!("tiny");
    site.configure(&plugin);
    let containerd = containerd(&site);
    let first = containerd
        .cri()
        .run(&pod(&site, "cart-0"))
        .expect("there is an address");
    let (_, address) = running(&containerd, &first);

    let error = containerd
        .cri()
        .run(&pod(&site, "cart-1"))
        .expect_err("there is no other");

    assert!(error.message().contains("tiny"), "{error}");
    assert_eq!(containerd.cri().sandboxes(), [first.as_str()]);
    assert_eq!(
        site.local_records().len(),
        1,
        "the record of the pod that runs"
    );
    assert_eq!(running(&containerd, &first).1, address);
    containerd.cri().stop(&first).expect("stop the pod");
    let freed = containerd
        .cri()
        .run(&pod(&site, "cart-2"))
        .expect("the address is free again");
    assert_eq!(running(&containerd, &freed).1, address);
}

/// How many addresses of the pool anybody holds.
fn held_addresses(site: &Site) -> usize {
    let list = site.cnictl(&["ip", "list", "--pool", POOL, "-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    let rows = list.as_array().expect("a list of addresses");
    rows.iter().filter(|row| !row["holder"].is_null()).count()
}
