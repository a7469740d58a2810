//! `cnictl ip`.

use std::process::Stdio;

use serde_json::json;

use crate::support::{Site, ran};

fn busy() -> Site {
    let site = Site::with_pool();
    site.hold("10.20.1.2", "node-1", "web-1");
    site.hold("10.20.1.3", "node-2", "web-2");
    site
}

#[test]
fn a_list_of_addresses_says_who_holds_them() {
    let expected = "\
ADDRESS    POOL  STATE  NODE    POD         INTERFACE  MAC                SINCE (UTC)           CONTAINER  RESERVED FOR
10.20.1.2  prod  held   node-1  shop/web-1  eth0       0a:58:0a:14:01:02  2026-03-01T12:00:00Z  web-1      -
10.20.1.3  prod  held   node-2  shop/web-2  eth0       0a:58:0a:14:01:03  2026-03-01T12:00:00Z  web-2      -
";
    assert_eq!(busy().done("ip list"), expected);
}

#[test]
fn an_address_in_json_has_a_stable_shape() {
    let site = busy();
    let row = json!({
        "address": "10.20.1.2", "pool": "prod", "state": "held",
        "holder": {
            "attachment": "node-1/pods/web-1/eth0", "node": "node-1", "network": "pods",
            "container": "web-1", "interface": "eth0",
            "incarnation": "07070707070707070707070707070707",
            "pod": { "namespace": "shop", "name": "web-1", "uid": "uid-web-1" },
            "mac": "0a:58:0a:14:01:02", "since": "2026-03-01T12:00:00.25Z",
        },
        "reservedFor": null, "unproven": false, "releasedAt": null, "previous": [], "revision": 2, "problem": null,
    });
    assert_eq!(site.json("ip show 10.20.1.2"), (0, row.clone()));
    let (code, list) = site.json("ip list");
    assert_eq!(
        (code, &list[0], list.as_array().map(Vec::len)),
        (0, &row, Some(2))
    );
}

#[test]
fn a_list_is_filtered_by_pool_node_and_namespace() {
    let site = busy();
    site.done("pool create spare --subnet 10.30.0.0/24");
    for (filter, found) in [
        ("--pool prod", &["10.20.1.2", "10.20.1.3"][..]),
        ("--pool spare", &[]),
        ("--node node-2", &["10.20.1.3"]),
        ("--namespace shop", &["10.20.1.2", "10.20.1.3"]),
        ("--namespace bank", &[]),
        ("--pool prod --node node-1 --namespace shop", &["10.20.1.2"]),
    ] {
        let (code, list) = site.json(&format!("ip list {filter}"));
        let rows = list.as_array().unwrap().iter();
        let addresses: Vec<_> = rows.map(|row| row["address"].as_str().unwrap()).collect();
        assert_eq!((code, addresses.as_slice()), (0, found), "case: {filter}");
    }
    let empty = site.run("ip list --pool spare");
    assert_eq!(
        (empty.out.as_str(), empty.err.as_str()),
        ("", "no held address matches\n")
    );
}

#[test]
fn a_released_address_remembers_and_is_listed_on_request() {
    let site = busy();
    site.done("release 10.20.1.2 --yes");
    assert!(!site.done("ip list").contains("10.20.1.2 "));
    assert!(
        site.done("ip list --all")
            .contains("10.20.1.2  prod  free   -"),
        "{:?}",
        site.run("ip list --all")
    );
    let shown = site.done("ip show 10.20.1.2");
    let lines: Vec<_> = shown.lines().collect();
    let head = [
        "ADDRESS         10.20.1.2",
        "POOL            prod",
        "STATE           free",
        "MEANING         nobody holds it; it can be given to anybody",
    ];
    assert_eq!(lines[..4], head);
    assert!(lines[4].starts_with("RELEASED (UTC)  20"), "{shown}");
    assert_eq!(lines[5], "REVISION        4");
    assert!(lines[7].starts_with("PREVIOUS HOLDER"), "{shown}");
    let previous = "node-1/pods/web-1/eth0  shop/web-1  2026-03-01T12:00:00Z  20";
    assert!(lines[8].starts_with(previous), "{shown}");
}

#[test]
fn an_address_nobody_holds_says_why() {
    let site = Site::with_pool();
    for (address, state, pool) in [
        ("10.20.1.9", "unused", json!("prod")),
        ("10.20.1.0", "unusable", json!("prod")),
        ("10.20.1.1", "unusable", json!("prod")),
        ("10.20.1.255", "unusable", json!("prod")),
        ("10.20.2.1", "outside", json!(null)),
        ("2001:db8::1", "outside", json!(null)),
    ] {
        let (code, shown) = site.json(&format!("ip show {address}"));
        assert_eq!(
            (code, &shown["state"], &shown["pool"]),
            (0, &json!(state), &pool),
            "{address}"
        );
    }
    let text = site.done("ip show 10.20.2.1");
    assert_eq!(
        text,
        "ADDRESS  10.20.2.1\nPOOL     -\nSTATE    outside\nMEANING  in no pool\n"
    );
}

#[test]
fn records_that_cannot_be_read_are_shown_under_every_filter_that_may_apply() {
    let site = busy();
    site.put("/berth/v1/addresses/010.020.001.007".into(), "{\"v\":1}");
    site.put("/berth/v1/addresses/010.020.001.008".into(), "{\"v\":9}");
    site.put("/berth/v1/addresses/10.20.1.9".into(), "x");
    let before = site.content();
    for filter in ["", "--pool prod", "--node node-1", "--namespace shop"] {
        let (code, list) = site.json(&format!("ip list {filter}"));
        let states: Vec<_> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["state"])
            .collect();
        assert_eq!(code, 1, "{filter}");
        for state in ["held", "malformed", "newer"] {
            assert!(states.contains(&&json!(state)), "{filter}: {states:?}");
        }
    }
    let ran = site.run("ip show 10.20.1.7");
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("STATE     malformed\n") && ran.out.contains("PROBLEM "),
        "{ran:?}"
    );
    assert_eq!(site.content(), before);
}

#[test]
fn what_a_pod_calls_itself_cannot_disturb_the_table() {
    let site = Site::with_pool();
    let record = r#"{"v":1,"pool":"prod","holder":{"attachment":"n1/pods/c1/eth0",
        "incarnation":"00","pod":{"namespace":"a b","name":"x\ny\u001b[2J"},
        "mac":"0a:58:0a:14:01:02","since":"2026-03-01T12:00:00Z"}}"#;
    site.put("/berth/v1/addresses/010.020.001.002".into(), record);
    let listed = site.done("ip list");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains(r#""a b/x\ny\u{1b}[2J""#), "{listed}");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let site = Site::with_pool();
    // More than a pipe holds, so that the writer meets the closed end.
    for last in 2..=250 {
        site.hold(&format!("10.20.1.{last}"), "node-1", &format!("web-{last}"));
    }
    let mut command = site.command(["ip", "list", "-o", "json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = ran(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
}
