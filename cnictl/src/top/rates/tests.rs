use serde_json::{Value, json};

use super::*;

/// A look at `second` past noon: pods with what they received, and the containers of pod `a`.
fn look(second: u32, pods: &[(&str, u64)]) -> Traffic {
    let count = |bytes: u64| json!({"bytes": bytes, "packets": bytes / 100});
    let scopes =
        json!({"sameNode": count(0), "cluster": count(0), "external": count(0), "other": count(0)});
    let direction = |bytes| json!({"total": count(bytes), "scopes": scopes});
    let interfaces: Vec<Value> = pods
        .iter()
        .map(|(pod, bytes)| {
            json!({"namespace": "shop", "pod": pod, "uid": "u", "container": "c", "interface": "eth0",
                "network": "lan", "driver": "macvlan", "ipFamily": "ipv4", "workload": "front",
                "workloadKind": "name", "mode": {"receive": "tcx", "transmit": "tcx"},
                "created": "2026-03-01T12:00:00Z", "estimated": false, "overflowed": false,
                "ended": false, "receive": direction(*bytes), "transmit": direction(1),
                "tcp": {"retransmits": 0, "resets": [0, 0], "opened": 0, "failed": 0, "accepted": 0}})
        })
        .collect();
    let ways = json!({"receive": count(5), "transmit": count(5)});
    let container = json!({"namespace": "shop", "pod": "a", "uid": "u", "container": "app",
        "created": "2026-03-01T12:00:00Z", "receive": count(5), "transmit": count(5), "loopback": ways});
    let node = json!({"name": "node-1", "version": "1", "kernel": "6", "started": 1.5, "modes": ["tcx"],
        "recorded": 2, "counted": 2, "degraded": []});
    let taken = format!("2026-03-01T12:00:{second:02}Z");
    serde_json::from_value(json!({"v": 1, "taken": taken, "node": node, "interfaces": interfaces,
        "containers": [container], "workloads": [], "unattributed": [], "new in a later release": 1}))
    .unwrap()
}

fn names(looks: &Looks, sort: SortBy, filter: &str) -> Vec<String> {
    let rows = looks.rows(sort, filter);
    rows.iter()
        .map(|row| format!("{}/{}", row.pod, row.name))
        .collect()
}

#[test]
fn rates_are_by_the_second_and_most_is_first() {
    let mut looks = Looks::default();
    looks.add(look(0, &[("a", 1000), ("b", 1000)]));
    assert_eq!(
        looks.rows(SortBy::Receive, "")[0].receive_bytes_per_second,
        0
    );
    looks.add(look(2, &[("a", 1200), ("b", 5000)]));
    let rows = looks.rows(SortBy::Receive, "");
    assert_eq!(
        (rows[0].pod.as_str(), rows[0].receive_bytes_per_second),
        ("b", 2000)
    );
    assert_eq!(rows[0].receive_packets_per_second, 20);
    assert_eq!(
        names(&looks, SortBy::Receive, ""),
        ["b/eth0", "a/eth0", "a/app"]
    );
    assert_eq!(
        names(&looks, SortBy::Name, ""),
        ["a/eth0", "a/app", "b/eth0"]
    );
}

#[test]
fn only_what_has_all_words_is_shown() {
    let mut looks = Looks::default();
    looks.add(look(0, &[("a", 1), ("b", 1)]));
    assert_eq!(names(&looks, SortBy::Name, "SHOP app"), ["a/app"]);
    assert_eq!(names(&looks, SortBy::Name, "front b"), ["b/eth0"]);
    assert!(names(&looks, SortBy::Name, "nobody").is_empty());
}

#[test]
fn case_53_one_look_twice_or_a_clock_set_back_has_no_rates_below_zero() {
    let mut looks = Looks::default();
    for (second, bytes) in [(5, 100), (5, 100), (3, 50), (4, 20)] {
        looks.add(look(second, &[("a", bytes)]));
        let rate = looks.rows(SortBy::Name, "")[0].receive_bytes_per_second;
        assert_eq!(rate, 0, "{second} {bytes}");
    }
}
