//! `cnictl explain`: the plan of an ADD, and nothing done.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Ran, Site, finish, program};

/// A configuration for the site's store, with a master that every machine has.
fn config(site: &Site, more: &Value) -> Value {
    let mut config = json!({
        "cniVersion": "1.1.0", "name": "pods", "type": "berth", "master": "lo", "node": "n1",
        "stateDir": site.file("state"), "runDir": site.file("run"),
        "ipam": {"pool": "prod", "store": {"embedded": site.file("store")}},
    });
    let fields = more.as_object().cloned().unwrap();
    config.as_object_mut().unwrap().extend(fields);
    config
}

fn explain(site: &Site, more: &Value, arguments: &[&str]) -> Ran {
    let file = site.file("10-pods.conf");
    fs::write(&file, config(site, more).to_string()).unwrap();
    finish(
        program()
            .args(["explain", "--conf"])
            .arg(&file)
            .args(arguments),
    )
}

#[test]
fn a_plan_names_the_address_first_and_every_step_and_changes_nothing() {
    let site = Site::with_pool();
    let before = site.content();
    let ran = explain(&site, &json!({}), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(
        lines[0].contains("WHERE") && lines[0].contains("STEP"),
        "{ran:?}"
    );
    for (line, words) in [
        (
            1,
            "store      claim 10.20.1.2 of pool prod: would be tried first",
        ),
        (2, "node       make macvlan eth0 on lo in mode bridge"),
        (4, "interface  set hardware address 0a:58:0a:14:01:02"),
        (5, "interface  set address 10.20.1.2/24"),
        (7, "interface  set route 0.0.0.0/0 by 10.20.1.1"),
    ] {
        assert!(lines[line].contains(words), "{words}: {ran:?}");
    }
    assert_eq!(site.content(), before, "the store is as it was");
    assert!(!site.file("state").exists() && !site.file("run").exists());
}

#[test]
fn the_first_address_is_one_that_is_free_asked_for_or_reserved() {
    let site = Site::with_pool();
    site.hold("10.20.1.2", "n1", "a");
    site.done("reserve create shop/cart --pool prod --address 10.20.1.40");
    let first = |arguments: &[&str]| {
        let ran = explain(&site, &json!({}), &[arguments, &["-o", "json"]].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        let plan: Value = serde_json::from_str(&ran.out).unwrap();
        plan["addresses"][0].as_str().unwrap().to_owned()
    };
    assert_eq!(first(&[]), "10.20.1.3");
    assert_eq!(first(&["--args", "IP=10.20.1.77"]), "10.20.1.77");
    assert_eq!(
        first(&["--annotation", "berth.dev/addresses=10.20.1.78"]),
        "10.20.1.78"
    );
    let workload = "--namespace shop --pod cart-0 --annotation berth.dev/reservation=cart";
    let workload: Vec<_> = workload.split(' ').collect();
    assert_eq!(first(&workload), "10.20.1.40");
}

#[test]
fn what_an_add_would_refuse_is_told_with_its_code() {
    let site = Site::with_pool();
    site.hold("10.20.1.2", "n1", "a");
    let cases: [(Value, &[&str], u64, &str); 7] = [
        (json!({"master": "bond7"}), &[], 7, "bond7"),
        (json!({"driver": "bridge"}), &[], 7, "driver"),
        (json!({"mtu": 65535, "vlan": 4095}), &[], 7, "vlan"),
        (json!({}), &["--args", "IP=10.20.1.2"], 102, "10.20.1.2"),
        (json!({}), &["--args", "IP=192.0.2.1"], 105, "192.0.2.1"),
        (
            json!({}),
            &["--annotation", "berth.dev/pool=absent"],
            7,
            "absent",
        ),
        (json!({}), &["--ifname", "a/b"], 4, "CNI_IFNAME"),
    ];
    for (more, arguments, code, words) in cases {
        let ran = explain(&site, &more, &[arguments, &["-o", "json"]].concat());
        assert_eq!(ran.code, 1, "{more} {arguments:?}: {ran:?}");
        let refused: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            refused["error"]["code"], code,
            "{more} {arguments:?}: {ran:?}"
        );
        assert!(
            refused["error"]["message"]
                .as_str()
                .unwrap()
                .contains(words),
            "{ran:?}"
        );
        assert!(
            !refused["error"]["remedy"].as_str().unwrap().is_empty(),
            "{ran:?}"
        );
    }
    let ran = explain(&site, &json!({"mtu": 7}), &[]);
    assert!(
        ran.out
            .starts_with("an ADD would fail with error 7: mtu: 7"),
        "{ran:?}"
    );
    site.done("pool drain prod");
    let drained = explain(&site, &json!({}), &[]);
    assert!(drained.out.contains("error 106"), "{drained:?}");
    site.done("store close --reason restored");
    let closed = explain(&site, &json!({}), &[]);
    assert!(closed.out.contains("error 107"), "{closed:?}");
}

#[test]
fn a_configuration_that_is_not_one_of_ours_is_a_wrong_command_line() {
    let site = Site::with_pool();
    for (more, words) in [
        (json!({"type": "bridge"}), "no network"),
        (json!({"type": null}), "no network"),
    ] {
        let ran = explain(&site, &more, &[]);
        assert_eq!((ran.code, ran.out.as_str()), (64, ""), "{more}: {ran:?}");
        assert!(ran.err.contains(words), "{more}: {ran:?}");
    }
    let ran = explain(&site, &json!({}), &["--annotation", "nonsense"]);
    assert_eq!(ran.code, 64, "{ran:?}");
}
