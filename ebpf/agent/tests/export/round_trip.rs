//! Whatever a snapshot holds, an independent reader gets the same numbers from the text.

use std::sync::Arc;

use berth_ebpf_common::Scope;
use proptest::prelude::*;
use traffic_agent::export::{ExportOptions, Exporter, Format, Level, Process, Tcp};
use traffic_agent::model::{Snapshot, scope_label};

use crate::parser::{self, Parsed};
use crate::{any, given};

const LEVELS: [Level; 3] = [Level::Min, Level::Default, Level::Detail];

fn options(level: usize, tcp: bool, max_series: usize) -> ExportOptions {
    let tcp = if tcp { Tcp::On } else { Tcp::Off };
    let level = LEVELS[level];
    ExportOptions {
        level,
        tcp,
        max_series,
    }
}

/// Every row that is written has the numbers of the snapshot.
fn check_rows(parsed: &Parsed, snapshot: &Snapshot) {
    for of in snapshot.interfaces.iter().filter(|of| !of.overflowed) {
        let labels = [
            ("namespace", of.pod.namespace.as_str()),
            ("pod", &of.pod.name),
            ("interface", of.ifname.as_str()),
        ];
        let mut about = labels.to_vec();
        about.extend([
            ("uid", of.pod.uid.as_str()),
            ("workload", &of.workload.name),
        ]);
        let name = |of: &traffic_agent::model::Interface| {
            (
                of.pod.namespace.clone(),
                of.pod.name.clone(),
                of.ifname.clone(),
            )
        };
        let same = snapshot
            .interfaces
            .iter()
            .filter(|other| name(other) == name(of));
        if same.count() > 1 || !parsed.has("berth_pod_info", &about) {
            continue;
        }
        for (scope, [receive, transmit]) in Scope::ALL.into_iter().zip(
            of.totals
                .receive
                .iter()
                .zip(&of.totals.transmit)
                .map(|(receive, transmit)| [receive, transmit]),
        ) {
            let mut labels = labels.to_vec();
            labels.push(("scope", scope_label(scope)));
            for (name, number) in [
                ("berth_pod_receive_bytes_total", receive.bytes),
                ("berth_pod_receive_packets_total", receive.packets),
                ("berth_pod_transmit_bytes_total", transmit.bytes),
                ("berth_pod_transmit_packets_total", transmit.packets),
            ] {
                // At level min a scope without traffic is not written.
                if number > 0 || parsed.has(name, &labels) {
                    assert_eq!(parsed.number(name, &labels), number.to_string());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn case_52_any_snapshot_is_read_back_as_the_same_numbers(
        snapshots in prop::collection::vec(any::snapshot(), 1..4),
        level in 0..3_usize, tcp in any::<bool>(),
        max_series in prop_oneof![Just(60_000_usize), 0..150_usize],
    ) {
        let mut exporter = Exporter::new(options(level, tcp, max_series));
        for snapshot in snapshots {
            let snapshot = Arc::new(snapshot);
            let exposition = exporter.look(Arc::clone(&snapshot), Some(Process::default()));
            let parsed = parser::open_metrics(&exposition.text(Format::OpenMetrics));
            check_rows(&parsed, &snapshot);
            let plain = parser::plain(&exposition.text(Format::Plain));
            let without = parsed.samples.iter().filter(|((name, _), _)| !name.ends_with("_created"));
            for (left, right) in without.zip(&plain.samples) {
                if left.0.0 == "berth_scrape_bytes" {
                    continue;
                }
                prop_assert_eq!(left, right, "both forms say the same");
            }
            parser::open_metrics(&exposition.cadvisor(Format::OpenMetrics));
            parser::plain(&exposition.cadvisor(Format::Plain));
        }
    }

    #[test]
    fn any_snapshot_is_json_that_is_read_back(snapshot in any::snapshot()) {
        let traffic = traffic_agent::export::json::traffic(&snapshot);
        let text = serde_json::to_string(&traffic).unwrap();
        let read: berth_types::traffic::Traffic = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read, traffic);
    }
}

#[test]
fn case_16_numbers_beyond_what_a_float_holds_are_written_exactly() {
    let mut snapshot = given::node(1);
    snapshot.interfaces[0].totals.receive[2].bytes = (1 << 53) + 1;
    snapshot.interfaces[0].totals.receive[1].bytes = u64::MAX;
    let mut exporter = Exporter::new(ExportOptions::default());
    let text = exporter
        .look(Arc::new(snapshot), None)
        .text(Format::OpenMetrics);
    let parsed = parser::open_metrics(&text);
    let name = "berth_pod_receive_bytes_total";
    assert_eq!(
        parsed.number(name, &[("scope", "external")]),
        "9007199254740993"
    );
    assert_eq!(
        parsed.number(name, &[("scope", "cluster")]),
        "18446744073709551615"
    );
}
