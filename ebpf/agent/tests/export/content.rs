//! What is said of a node, by name.

use std::sync::Arc;

use berth_ebpf_common::Unattributed;
use jiff::SignedDuration;
use traffic_agent::export::{ExportOptions, Exporter, Exposition, Format, Level, Process, Tcp};
use traffic_agent::model::{ContainerCounts, Mode, Snapshot};

use crate::given;
use crate::parser::{self, Parsed};

fn look(snapshot: Snapshot, options: ExportOptions) -> Exposition {
    let process = Process {
        resident_bytes: 7,
        ..Process::default()
    };
    Exporter::new(options).look(Arc::new(snapshot), Some(process))
}

fn parsed(snapshot: Snapshot, level: Level, tcp: Tcp) -> Parsed {
    let options = ExportOptions {
        level,
        tcp,
        ..ExportOptions::default()
    };
    parser::open_metrics(&look(snapshot, options).text(Format::OpenMetrics))
}

/// Every name of the list of all of Berth's metrics that is about traffic.
const NAMES: [&str; 51] = [
    "berth_pod_receive_bytes_total",
    "berth_pod_transmit_bytes_total",
    "berth_pod_receive_packets_total",
    "berth_pod_transmit_packets_total",
    "berth_pod_receive_dropped_total",
    "berth_pod_transmit_dropped_total",
    "berth_pod_info",
    "berth_pod_attached",
    "berth_namespace_bytes_total",
    "berth_namespace_packets_total",
    "berth_container_receive_l3_bytes_total",
    "berth_container_transmit_l3_bytes_total",
    "berth_container_receive_packets_total",
    "berth_container_transmit_packets_total",
    "berth_container_loopback_l3_bytes_total",
    "berth_unattributed_l3_bytes_total",
    "berth_pod_tcp_retransmits_total",
    "berth_pod_tcp_resets_total",
    "berth_pod_tcp_connects_total",
    "berth_namespace_tcp_rtt_seconds_bucket",
    "berth_namespace_tcp_rtt_seconds_sum",
    "berth_namespace_tcp_rtt_seconds_count",
    "berth_node_receive_bytes_total",
    "berth_node_transmit_bytes_total",
    "berth_workload_receive_bytes_total",
    "berth_workload_transmit_bytes_total",
    "berth_build_info",
    "berth_agent_start_time_seconds",
    "berth_bpf_attach_mode_info",
    "berth_bpf_links",
    "berth_bpf_duplicate_links_removed_total",
    "berth_bpf_attach_failures_total",
    "berth_bpf_map_entries",
    "berth_bpf_map_max_entries",
    "berth_bpf_map_bytes",
    "berth_bpf_program_runs_total",
    "berth_bpf_program_run_seconds_total",
    "berth_counter_audit_drift_ratio",
    "berth_collect_duration_seconds_bucket",
    "berth_collect_duration_seconds_sum",
    "berth_collect_duration_seconds_count",
    "berth_scrape_bytes",
    "berth_series",
    "berth_series_dropped_total",
    "berth_cri_up",
    "berth_events_lag_seconds",
    "berth_open_netns_fds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_start_time_seconds",
];

#[test]
fn every_name_of_the_list_is_there_at_level_detail() {
    let parsed = parsed(given::node(4), Level::Detail, Tcp::On);
    for name in NAMES {
        assert!(parsed.has(name, &[]), "{name}");
    }
    for family in parsed.families.values() {
        assert!(
            family.help.ends_with('.') && !family.help.contains(['\\', '"']),
            "{family:?}"
        );
    }
    let bytes = &parsed.families["berth_pod_receive_bytes"];
    assert!(
        bytes.help.contains("Ethernet header") && bytes.help.contains("FCS"),
        "{bytes:?}"
    );
    assert_eq!(bytes.unit, "bytes");
    assert!(
        parsed.families["berth_container_receive_l3_bytes"]
            .help
            .contains("(L3)")
    );
}

#[test]
fn a_lower_level_has_less() {
    let level_min = parsed(given::node(4), Level::Min, Tcp::Off);
    let level_default = parsed(given::node(4), Level::Default, Tcp::Off);
    for absent in ["namespace_bytes_total", "container_loopback_l3_bytes_total"] {
        assert!(
            !level_default.has(&format!("berth_{absent}"), &[]),
            "{absent}"
        );
    }
    assert!(!level_default.has("berth_pod_tcp_resets_total", &[]));
    let name = "berth_pod_receive_bytes_total";
    assert_eq!(
        level_default.of(name, &[]).count(),
        16,
        "every scope of every interface"
    );
    assert_eq!(level_min.sum(name, &[]), level_default.sum(name, &[]));

    let mut plain = given::node(1);
    plain.interfaces[0].totals.receive[..3].fill(berth_ebpf_common::Count::default());
    let level_min = parsed(plain, Level::Min, Tcp::Off);
    let scopes: Vec<_> = level_min
        .of(name, &[])
        .map(|(of, _)| of["scope"].clone())
        .collect();
    assert_eq!(
        scopes,
        ["other"],
        "where scopes are not told apart there is one"
    );
}

#[test]
fn creation_is_told_for_every_counter_of_a_row() {
    let parsed = parsed(given::node(2), Level::Detail, Tcp::On);
    let mut counters = 0;
    for (name, labels) in parsed
        .samples
        .keys()
        .filter(|(name, _)| name.ends_with("_total"))
    {
        let exempt = [
            "berth_unattributed_l3_bytes_total",
            "process_cpu_seconds_total",
        ];
        if exempt.contains(&name.as_str()) {
            continue;
        }
        let created = (name.replace("_total", "_created"), labels.clone());
        assert!(parsed.samples.contains_key(&created), "{created:?}");
        counters += 1;
    }
    assert!(counters > 100, "{counters}");
    let labels = [("namespace", "shop"), ("scope", "cluster")];
    assert_eq!(
        parsed.number("berth_pod_receive_bytes_created", &labels),
        "1772366400.250"
    );
}

#[test]
fn the_roll_ups_are_the_sums_of_the_workloads() {
    let snapshot = given::node(40);
    let parsed = parsed(snapshot.clone(), Level::Detail, Tcp::On);
    let of = |scope: usize| -> u64 {
        snapshot
            .workloads
            .iter()
            .map(|workload| workload.totals.receive[scope].bytes)
            .sum()
    };
    let node = "berth_node_receive_bytes_total";
    assert_eq!(
        parsed.number(node, &[("scope", "external")]),
        of(2).to_string()
    );
    assert_eq!(
        parsed.sum(
            "berth_workload_receive_bytes_total",
            &[("scope", "external")]
        ),
        of(2)
    );
    let udp = [
        ("protocol", "udp"),
        ("family", "ipv6"),
        ("direction", "transmit"),
    ];
    let expected: u64 = snapshot
        .workloads
        .iter()
        .map(|of| of.totals.transmit_detail[1][1].packets)
        .sum();
    assert_eq!(parsed.sum("berth_namespace_packets_total", &udp), expected);
    let rtt = [("namespace", "shop"), ("le", "0.005")];
    assert_eq!(
        parsed.number("berth_namespace_tcp_rtt_seconds_bucket", &rtt),
        "40"
    );
    let sum = parsed.number(
        "berth_namespace_tcp_rtt_seconds_sum",
        &[("namespace", "shop")],
    );
    assert_eq!(sum, "4.938268");
}

#[test]
fn case_36_a_roll_up_does_not_go_back_when_its_pods_end() {
    let mut snapshot = given::node(10);
    let mut exporter = Exporter::new(ExportOptions::default());
    let mut before = 0;
    for _round in 0..4 {
        let text = exporter
            .look(Arc::new(snapshot.clone()), None)
            .text(Format::OpenMetrics);
        let parsed = parser::open_metrics(&text);
        let now = parsed.sum("berth_node_receive_bytes_total", &[]);
        assert!(now >= before, "{now} {before}");
        before = now;
        snapshot.interfaces.pop();
        snapshot.containers.clear();
        snapshot.workloads[0].totals.receive[0].bytes += 5;
    }
}

#[test]
fn an_interface_that_is_not_counted_says_so() {
    let mut snapshot = given::node(1);
    snapshot.interfaces[0].mode = [Mode::Off, Mode::Device];
    let parsed = parsed(snapshot, Level::Default, Tcp::Off);
    let of = |direction| {
        parsed
            .number("berth_pod_attached", &[("direction", direction)])
            .to_owned()
    };
    assert_eq!([of("receive"), of("transmit")], ["0", "1"]);
    let mode = [
        ("hook", "transmit"),
        ("mode", "device"),
        ("kernel", "6.18.0"),
    ];
    assert_eq!(parsed.number("berth_bpf_attach_mode_info", &mode), "1");
}

#[test]
fn the_drift_is_told_as_quantiles_and_what_is_no_number_is_passed_over() {
    let mut snapshot = given::node(11);
    for (number, interface) in snapshot.interfaces.iter_mut().enumerate() {
        let drift = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, f64::NAN][number];
        interface.drift = Some([drift, 0.0]);
    }
    let parsed = parsed(snapshot, Level::Default, Tcp::Off);
    let of = |quantile| {
        let labels = [("direction", "receive"), ("quantile", quantile)];
        parsed
            .number("berth_counter_audit_drift_ratio", &labels)
            .to_owned()
    };
    assert_eq!([of("0.5"), of("0.9"), of("1")], ["0.4", "0.8", "0.9"]);
}

#[test]
fn what_is_reported_twice_is_one_sample() {
    let mut snapshot = given::node(1);
    let health = &mut snapshot.health;
    health
        .attach_failures
        .extend(health.attach_failures.clone());
    let counts = ContainerCounts::default();
    snapshot.unattributed = vec![(Unattributed::MapFull, counts); 3];
    let parsed = parsed(snapshot, Level::Default, Tcp::Off);
    assert_eq!(
        parsed.sum("berth_bpf_attach_failures_total", &[("hook", "receive")]),
        2
    );
}

#[test]
fn cadvisor_has_its_eight_metrics_of_the_device_and_no_other() {
    let mut snapshot = given::node(2);
    snapshot.interfaces[1].device = None;
    let exposition = look(snapshot, ExportOptions::default());
    for format in [Format::OpenMetrics, Format::Plain] {
        let text = exposition.cadvisor(format);
        let parsed = match format {
            Format::OpenMetrics => parser::open_metrics(&text),
            Format::Plain => parser::plain(&text),
        };
        assert_eq!(parsed.families.len(), 8);
        let total = |way: &str, what: &str| {
            let name = format!("container_network_{way}_{what}_total");
            let labels = [
                ("namespace", "shop"),
                ("interface", "eth0"),
                ("container", ""),
            ];
            parsed.number(&name, &labels).to_owned()
        };
        let of =
            |way| ["bytes", "packets", "packets_dropped", "errors"].map(|what| total(way, what));
        assert_eq!(of("receive"), ["70", "71", "72", "73"]);
        assert_eq!(of("transmit"), ["80", "81", "82", "83"]);
        let (labels, _) = parsed
            .of("container_network_receive_bytes_total", &[])
            .next()
            .unwrap();
        let names: Vec<&str> = labels.keys().map(String::as_str).collect();
        let expected = [
            "container",
            "id",
            "image",
            "interface",
            "name",
            "namespace",
            "pod",
        ];
        assert_eq!(names, expected);
    }
}

#[test]
fn case_35_a_pod_of_the_same_name_takes_the_series_over_with_its_own_time_of_creation() {
    let mut snapshot = given::node(1);
    let mut exporter = Exporter::new(ExportOptions::default());
    exporter.look(Arc::new(snapshot.clone()), None);
    snapshot.interfaces[0].ended = true;
    let mut next = given::interface(snapshot.interfaces[0].pod.clone(), "next");
    next.pod.uid = "uid-next".to_owned();
    next.created = given::noon() + SignedDuration::from_secs(3);
    next.totals = given::totals(1);
    snapshot.interfaces.push(next);
    let text = exporter
        .look(Arc::new(snapshot), None)
        .text(Format::OpenMetrics);
    let parsed = parser::open_metrics(&text);
    let labels = [("pod", "web-7d9c8b6f5-00000"), ("scope", "same_node")];
    assert_eq!(parsed.number("berth_pod_receive_bytes_total", &labels), "2");
    assert_eq!(
        parsed.number("berth_pod_receive_bytes_created", &labels),
        "1772366403.250"
    );
    assert_eq!(parsed.number("berth_pod_info", &[]), "1");
    assert!(parsed.has("berth_pod_info", &[("uid", "uid-next")]));
}

#[test]
fn programs_that_were_never_measured_have_no_series() {
    let mut snapshot = given::node(1);
    let level = (Level::Default, Tcp::Off);
    let measured = parsed(snapshot.clone(), level.0, level.1);
    let of = [("program", "receive")];
    let runs = measured.number("berth_bpf_program_runs_total", &of);
    let seconds = measured.number("berth_bpf_program_run_seconds_total", &of);
    assert_eq!((runs, seconds), ("20000000", "1.000000600"));
    snapshot.health.programs.clear();
    let never = parsed(snapshot, level.0, level.1);
    for family in ["berth_bpf_program_runs", "berth_bpf_program_run_seconds"] {
        assert!(!never.families.contains_key(family), "{family}");
    }
}
