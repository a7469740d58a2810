//! CHECK: what others add is theirs, what is ours must be there, and the store may be away.

use std::time::Duration;

use berth_types::AttachmentId;
use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE, ip};
use crate::records;

#[test]
fn case_39_what_others_add_does_not_fail_check() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let mut result = container.add().success().clone();
    for change in [
        &["route", "add", "10.99.0.0/16", "via", "10.20.1.1"][..],
        &["address", "add", "10.20.1.250/24", "dev", "eth0"],
        &["link", "set", "eth0", "mtu", "1300"],
        &["link", "add", "eth1", "type", "bridge"],
        &["link", "set", "eth0", "address", "02:00:00:00:00:77"],
    ] {
        container.netns.ip(change);
        container.check(&result).success();
    }
    // Another plugin of the chain adds its own to the result.
    let others = json!({"name": "veth1", "mac": "02:00:00:00:00:78", "sandbox": ""});
    result["interfaces"]
        .as_array_mut()
        .expect("interfaces")
        .push(others);
    result["ips"]
        .as_array_mut()
        .expect("ips")
        .push(json!({"address": "10.77.0.1/24", "interface": 1}));
    container.check(&result).success();
}

#[test]
fn what_is_missing_fails_check() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let cases: [(&[&str], &str); 5] = [
        (&["address", "flush", "dev", "eth0"], "10.20.1."),
        (&["link", "set", "eth0", "down"], "down"),
        (&["route", "del", "default"], "10.20.1.1"),
        (&["link", "del", "eth0"], "missing"),
        (&["link", "set", "eth0", "down", "name", "other"], "missing"),
    ];
    for (change, named) in cases {
        let container = ground.container("a");
        let result = container.add().success().clone();
        container.netns.ip(change);
        let error = container.check(&result).failure();
        assert_names(&error, 999, &["eth0", named]);
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{change:?}");
    }
    let container = ground.container("a");
    let result = container.add().success().clone();
    container.netns.ip(&["link", "del", "eth0"]);
    container
        .netns
        .ip(&["link", "add", "eth0", "type", "bridge"]);
    assert_names(
        &container.check(&result).failure(),
        999,
        &["eth0", "macvlan"],
    );
}

#[test]
fn check_in_a_namespace_that_is_gone_says_so() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let result = container.add().success().clone();
    let mut config = container.config.clone();
    config["prevResult"] = result;
    let call = e2e::plugin::Call {
        netns: Some("/nonexistent".as_ref()),
        stdin: config.to_string().into_bytes(),
        ..container.call_of("CHECK")
    };
    assert_names(
        &container.answer(&call).failure(),
        3,
        &["CNI_NETNS", "/nonexistent"],
    );
}

#[test]
fn case_40_check_passes_on_local_evidence_with_etcd_away() {
    let mut ground = Ground::new(Kind::Etcd, WIDE);
    ground.patience_ms = 1000;
    let (id, netns, config) = {
        let container = ground.container("a");
        let result = container.add().success().clone();
        let mut config = container.config.clone();
        config["prevResult"] = result;
        (container.id.clone(), container.netns, config)
    };
    ground.etcd().pause();
    let call = e2e::plugin::Call::new("CHECK", &id, Some(netns.path()), &config);
    let reply = ground.plugin.call(ground.node(), &call);
    reply.success();
    assert!(reply.stderr.contains("warning"), "{}", reply.stderr);
    assert!(
        reply.elapsed < Duration::from_secs(5),
        "{:?}",
        reply.elapsed
    );
    netns.ip(&["link", "set", "eth0", "down"]);
    assert_eq!(ground.plugin.call(ground.node(), &call).failure().code, 999);
    ground.etcd().resume();
}

#[test]
fn case_41_an_address_that_is_anothers_in_the_store_is_102() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let container = ground.container("a");
        let reply = container.add();
        let address = reply.address();
        let other: AttachmentId = "n9/pods/other/eth0".parse().expect("an id");
        records::change_address(&ground, address, |record| {
            record.holder.as_mut().expect("a holder").attachment = other.clone();
        });
        let error = container.check(&reply.json).failure();
        assert_names(&error, 102, &[&address.to_string(), "n9/pods/other/eth0"]);
        // Nor is it ours to give back.
        container.del().success();
        assert_eq!(
            ground.holder(address).as_deref(),
            Some("n9/pods/other/eth0")
        );

        let container = ground.container("b");
        let reply = container.add();
        records::change_address(&ground, reply.address(), |record| record.holder = None);
        let error = container.check(&reply.json).failure();
        assert_names(&error, 999, &[&reply.address().to_string(), "nobody"]);
        assert_ne!(reply.address(), ip("10.20.1.1"));
    }
}
