//! The agent itself, with the kernel's counters, as a Prometheus sees it.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::prometheus::{PATIENCE, Prometheus};
use e2e::wait::until;

use super::prometheus::{deployed, no_complaint};
use crate::engine::ground::Ground;

/// What the agent counts of a pod, over all scopes.
fn bytes(prometheus: &Prometheus<'_>, way: &str, pod: &str) -> Option<f64> {
    prometheus.number(&format!(
        "sum(berth_pod_{way}_bytes_total{{pod=\"{pod}\"}})"
    ))
}

#[test]
fn a_prometheus_takes_the_agents_counts_through_restarts_and_pods_that_come_and_go() {
    let ground = Ground::new();
    let address = SocketAddr::from(([127, 0, 0, 1], 9455));
    let mut agent = ground.start(&["--level", "detail", "--tcp", "--show-ended", "2"]);
    let rules = deployed("prometheus/traffic.yml");
    let prometheus = Prometheus::start(ground.node.netns(), address, &rules);
    let pod = ground.pod("web-7d4b9c6f5d-x2x7z");
    ground.wait_counted(&pod.name, "tcx");
    pod.send(200, 1000);
    pod.assert_exact("before the scrape");
    for _round in 0..2 {
        agent.stop(Duration::from_mins(1));
        pod.send(50, 500);
        agent = ground.start(&["--level", "detail", "--tcp", "--show-ended", "2"]);
        // One of the same name as the last one, each time.
        let next = ground.pod("db-0");
        ground.wait_counted(&next.name, "tcx");
        next.send(10, 100);
        until(PATIENCE, "it is scraped", || {
            bytes(&prometheus, "transmit", "db-0") > Some(0.0)
        });
        next.delete();
        until(PATIENCE, "it is gone", || {
            bytes(&prometheus, "transmit", "db-0").is_none()
        });
    }
    // Of what is received only packets: a macvlan counts the header of its neighbours' broadcasts
    // twice.
    let exact = |what: &str, device: u64| {
        let query = format!("sum(berth_pod_{what}_total{{pod=\"{}\"}})", pod.name);
        prometheus
            .number(&query)
            .map(|number| format!("{number:.0}"))
            == Some(device.to_string())
    };
    until(PATIENCE, "the scraped sums are those of the device", || {
        let device = pod.device();
        exact("receive_packets", device.receive.1)
            && exact("transmit_packets", device.transmit.1)
            && exact("transmit_bytes", device.transmit.0)
    });
    let attached = format!("min(berth_pod_attached{{pod=\"{}\"}})", pod.name);
    assert_eq!(prometheus.number(&attached), Some(1.0));
    let resets = "sum(resets(berth_node_transmit_bytes_total[10m]))";
    assert_eq!(
        prometheus.number(resets),
        Some(0.0),
        "sums go on through restarts"
    );
    let ended = "sum(berth_workload_transmit_bytes_total{workload=\"db\"})";
    assert!(
        prometheus.number(ended) > Some(0.0),
        "who ended is in its workload"
    );
    no_complaint(&prometheus.log());
    assert!(agent.lives());
}
