//! More than there is room for.

use std::sync::Arc;

use traffic_agent::export::{ExportOptions, Exporter, Format, Level, Tcp};
use traffic_agent::model::{Snapshot, Workload, WorkloadName};

use crate::given;
use crate::parser::{self, Parsed};

fn exporter(max_series: usize) -> Exporter {
    Exporter::new(ExportOptions {
        max_series,
        level: Level::Detail,
        tcp: Tcp::On,
    })
}

fn look(exporter: &mut Exporter, snapshot: &Snapshot) -> Parsed {
    let exposition = exporter.look(Arc::new(snapshot.clone()), None);
    parser::open_metrics(&exposition.text(Format::OpenMetrics))
}

const BUCKET: [(&str, &str); 2] = [("namespace", ""), ("pod", "other")];

#[test]
fn case_49_what_has_no_room_is_in_the_bucket_and_the_sums_stay_right() {
    let snapshot = given::node(100);
    let full = look(&mut exporter(100_000), &snapshot);
    let cut = look(&mut exporter(500), &snapshot);
    for name in [
        "berth_pod_receive_bytes_total",
        "berth_pod_transmit_packets_total",
        "berth_pod_receive_dropped_total",
        "berth_pod_tcp_retransmits_total",
        "berth_container_receive_l3_bytes_total",
        "berth_container_loopback_l3_bytes_total",
        "berth_workload_transmit_bytes_total",
        "berth_node_receive_bytes_total",
    ] {
        assert_eq!(cut.sum(name, &[]), full.sum(name, &[]), "{name}");
    }
    let of = |name: &str| {
        cut.samples
            .keys()
            .filter(|(of, _)| of.starts_with(name))
            .count()
    };
    // Each of the three buckets comes on top, and every counter has a line on its creation.
    assert!(of("berth_pod_") + of("berth_container_") + of("berth_workload_") <= 2 * (500 + 64));
    assert!(cut.has("berth_pod_receive_bytes_total", &BUCKET));
    assert!(!cut.has("berth_pod_info", &BUCKET));
    let dropped = cut.sum("berth_series_dropped_total", &[("reason", "budget")]);
    assert!(dropped > 1000, "{dropped}");
    assert_eq!(full.sum("berth_series_dropped_total", &[]), 0);
}

#[test]
fn the_bucket_does_not_go_back_when_its_pods_end_or_others_make_room() {
    let mut snapshot = given::node(40);
    let mut exporter = exporter(500);
    let name = "berth_pod_receive_bytes_total";
    let mut before = look(&mut exporter, &snapshot).sum(name, &BUCKET);
    assert!(before > 0);
    while snapshot.interfaces.len() > 2 {
        snapshot.interfaces.pop();
        snapshot.interfaces.remove(0);
        for interface in &mut snapshot.interfaces {
            interface.totals.receive[0].bytes += 10;
        }
        let now = look(&mut exporter, &snapshot).sum(name, &BUCKET);
        assert!(now >= before, "{now} {before}");
        before = now;
    }
}

#[test]
fn interfaces_without_a_slot_of_their_own_count_once() {
    let mut snapshot = given::node(3);
    for interface in &mut snapshot.interfaces[1..] {
        interface.overflowed = true;
        interface.totals = berth_ebpf_common::Totals::default();
    }
    snapshot.workloads.push(Workload {
        name: WorkloadName::overflow(),
        created: given::noon(),
        totals: given::totals(70),
    });
    let parsed = look(&mut exporter(100_000), &snapshot);
    let labels = [BUCKET[0], BUCKET[1], ("scope", "same_node")];
    assert_eq!(
        parsed.number("berth_pod_receive_bytes_total", &labels),
        "71"
    );
    assert_eq!(parsed.of("berth_pod_info", &[]).count(), 1);
}

#[test]
fn what_the_exposition_takes_is_told() {
    let parsed = look(&mut exporter(100_000), &given::node(10));
    let pods = parsed.sum("berth_series", &[("family", "pod")]);
    // 4 x 4 scopes, 2 dropped, 1 info, 2 attached, 6 of TCP.
    assert_eq!(pods, 270);
    assert_eq!(
        parsed.sum("berth_series", &[("family", "container")]),
        20 * 6
    );
    assert!(parsed.sum("berth_scrape_bytes", &[("family", "pod")]) > 270 * 50);
}
