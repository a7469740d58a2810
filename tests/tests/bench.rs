//! The benchmark still runs. What it measures is not looked at: a test machine is busy.

use e2e::bench::{self, Plan};

#[test]
fn the_etcd_and_embedded_benchmark_finds_no_failure_and_no_address_twice() {
    let report = bench::run(Plan {
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
