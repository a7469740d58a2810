//! The benchmarks still run. What they measure is not looked at: a test machine is busy.

use e2e::bench::{self, Plan, Whom};

#[test]
fn the_etcd_and_embedded_benchmark_finds_no_failure_and_no_address_twice() {
    runs(Whom::Interfaces);
}

#[test]
fn the_etcd_and_embedded_benchmark_of_ipam_alone_does_so_too() {
    runs(Whom::Ipam);
}

#[test]
fn the_etcd_and_embedded_benchmark_of_ports_does_so_too() {
    runs(Whom::Switched);
}

#[test]
fn the_etcd_and_embedded_benchmark_of_limits_does_so_too() {
    runs(Whom::Bandwidth);
}

#[test]
fn the_etcd_and_embedded_benchmark_of_what_is_carried_does_so_too() {
    let table = bench::carried::run(1).to_string();
    assert_eq!(table.matches("Gbit/s").count(), 10, "{table}");
}

fn runs(whom: Whom) {
    let report = bench::run(Plan {
        whom,
        calls: 3,
        at_once: 16,
        rounds: 2,
    })
    .to_string();
    for line in [
        "| ADD p50 |",
        "| CPU per ADD (median) |",
        "| 16 ADDs at once (median) |",
    ] {
        assert!(report.contains(line), "no {line:?} in\n{report}");
    }
}
