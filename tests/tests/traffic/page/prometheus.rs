//! What is exported, as a real Prometheus takes it; and what is shipped for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use e2e::debian;
use e2e::netns::Netns;
use e2e::prometheus::{PATIENCE, Prometheus};
use e2e::wait;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use traffic_agent::export::{ExportOptions, Exporter, Format, Level, Source, Tcp};
use traffic_agent::model::Snapshot;

use super::given;
use super::serve::Served;

/// A file of `deploy/`.
pub(crate) fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name)
}

fn promtool() -> Command {
    let mut command = Command::new(debian::require("promtool", "prometheus"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn case_52_promtool_finds_nothing_to_complain_about() {
    let options = ExportOptions {
        level: Level::Detail,
        tcp: Tcp::On,
        ..ExportOptions::default()
    };
    let mut node = given::node(3);
    node.interfaces[0].pod = given::pod("q\"uote", "back\\slash\nline\u{fc}");
    let exposition = Exporter::new(options).look(Arc::new(node), None);
    for text in [
        exposition.text(Format::Plain),
        exposition.cadvisor(Format::Plain),
    ] {
        let mut command = promtool();
        let mut child = command
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, text.as_bytes()).unwrap();
        drop(stdin);
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        // These count counters, and are called so.
        let fine = |line: &&str| {
            line.starts_with("berth_counter_")
                && line.ends_with("should not include type 'counter'")
        };
        let complaints: Vec<&str> = said.lines().filter(|line| !fine(line)).collect();
        assert_eq!(complaints, [""; 0]);
    }
}

#[test]
fn the_alerts_are_rules() {
    let ran = promtool()
        .args(["check", "rules"])
        .arg(deployed("prometheus/traffic.yml"))
        .output();
    let ran = ran.unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// Pods come, carry, end, and come again under the same name: something each time one looks.
struct Churning(Mutex<(u64, Snapshot)>);

impl Churning {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((0, given::node(12)))))
    }
}

impl Source for Churning {
    fn snapshot(&self) -> Arc<Snapshot> {
        let mut held = self.0.lock().unwrap();
        let (round, node) = &mut *held;
        *round += 1;
        node.taken = Timestamp::now();
        for workload in &mut node.workloads {
            workload.totals.receive[0].bytes += 1000;
            workload.totals.transmit[2].bytes += 500;
        }
        for interface in &mut node.interfaces {
            interface.totals.receive[0].bytes += 1500;
            interface.totals.receive[0].packets += 1;
            interface.totals.transmit[2].bytes += 500;
            interface.totals.transmit[2].packets += 1;
        }
        // One ends, and one of the same name begins before it is gone.
        let at = usize::try_from(*round).unwrap() % 12;
        node.interfaces.retain(|of| !of.ended);
        let mut next = node.interfaces[at].clone();
        node.interfaces[at].ended = true;
        next.container = format!("life{round}").parse().unwrap();
        next.pod.uid = format!("uid{round}");
        next.created = node.taken + SignedDuration::from_millis(1);
        next.totals = given::totals(0);
        node.interfaces.push(next);
        Arc::new(node.clone())
    }
}

/// All of a dashboard's queries, with the places that Grafana fills in filled.
fn queries() -> Vec<String> {
    let text = fs::read_to_string(deployed("grafana/traffic.json")).unwrap();
    let board: Value = serde_json::from_str(&text).unwrap();
    let targets = board["panels"].as_array().unwrap().iter();
    let targets = targets
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let query = |target: &Value| {
        let mut query = target["expr"]
            .as_str()
            .unwrap()
            .replace("$__rate_interval", "10s");
        for variable in ["$namespace", "$workload", "$scope"] {
            query = query.replace(variable, ".*");
        }
        query
    };
    targets.map(query).collect()
}

/// The queries that have no answer on a node of a few seconds: of yesterday, and of failures that
/// have not been.
fn says_nothing_yet(query: &str) -> bool {
    [
        "1d",
        "map_update_failures",
        "lookup_failures",
        "audit_failures",
        "base_restored",
    ]
    .iter()
    .any(|part| query.contains(part))
}

/// Prometheus has taken every sample.
pub(crate) fn no_complaint(log: &str) {
    let words = [
        "duplicate",
        "Duplicate",
        "out-of-order",
        "Out of order",
        "level=error",
        "parse",
    ];
    for word in words {
        let line = log.lines().find(|line| line.contains(word));
        assert_eq!(line, None, "{word}");
    }
}

#[test]
fn a_prometheus_takes_all_of_it_through_churn_and_restarts_and_answers_every_panel() {
    let netns = Netns::new("scraped");
    netns.run(|| {
        let options = ExportOptions {
            level: Level::Detail,
            tcp: Tcp::On,
            ..ExportOptions::default()
        };
        let source = Churning::new();
        let mut served = Served::with(0, Arc::clone(&source), options.clone());
        let address = served.address;
        let prometheus = Prometheus::start(&netns, address, &deployed("prometheus/traffic.yml"));
        for _restart in 0..3 {
            let rate = "sum(rate(berth_pod_receive_bytes_total[10s])) > 0";
            wait::until(PATIENCE, "rates are there", || {
                !prometheus.query(rate).is_empty()
            });
            drop(served);
            let down = "up == 0";
            wait::until(PATIENCE, "it is missed", || {
                !prometheus.query(down).is_empty()
            });
            served = Served::with(address.port(), Arc::clone(&source), options.clone());
            wait::until(PATIENCE, "it is back", || prometheus.query(down).is_empty());
        }
        let queries = queries();
        assert!(queries.len() > 40, "{}", queries.len());
        for query in queries {
            let answers = || says_nothing_yet(&query) || !prometheus.query(&query).is_empty();
            wait::until(PATIENCE, &format!("{query} has an answer"), answers);
            prometheus.query(&query);
        }
        no_complaint(&prometheus.log());
        let rules = prometheus.api("/api/v1/rules");
        let groups = rules["data"]["groups"].as_array().unwrap().iter();
        for rule in groups.flat_map(|group| group["rules"].as_array().unwrap()) {
            assert_eq!(rule["health"], "ok", "{rule}");
        }
        let total = prometheus.number("sum(berth_node_receive_bytes_total)");
        assert!(total.unwrap() > 0.0);
        drop(served);
    });
}
