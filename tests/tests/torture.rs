//! The allocator under torture. With `BERTH_LONG` set, 100,000 operations each.
#![expect(
    clippy::expect_used,
    reason = "test code: whatever is unexpected must fail loudly"
)]

use std::path::{Path, PathBuf};

use e2e::plugin::target_dir;
use e2e::torture::checker::Violation;
use e2e::torture::schedule::Source;
use e2e::torture::{self, Kind, Plan};

const BUILD: &str = "cargo build -p e2e --features planted-bug --bin torture-planted";

fn torture() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_torture")).to_owned()
}

/// Drawn anew each time unless `BERTH_SEED` gives it; a failure prints it.
fn seed() -> u64 {
    let given = std::env::var("BERTH_SEED").ok();
    given.map_or_else(
        || u64::from(std::process::id()),
        |seed| seed.parse().expect("BERTH_SEED is a number"),
    )
}

#[test]
fn a_cluster_of_three_etcd_members_under_torture_keeps_every_promise() {
    let report = torture::run(&Plan::new(Kind::Etcd, seed(), torture()));
    assert!(report.violations.is_empty(), "{report}");
    assert!(report.made("ADD any: given") > 0, "{report}");
    for trouble in ["worker killed", "worker paused", "node cut off"] {
        assert!(report.troubles.contains_key(trouble), "{report}");
    }
}

#[test]
fn the_embedded_store_under_64_processes_keeps_every_promise() {
    let report = torture::run(&Plan::new(Kind::Embedded, seed(), torture()));
    assert!(report.violations.is_empty(), "{report}");
    assert!(report.made("ADD any: given") > 0, "{report}");
    assert!(report.troubles.contains_key("worker killed"), "{report}");
}

#[test]
fn an_allocator_that_leaves_out_one_compare_is_found_out() {
    let planted = target_dir().join("torture-planted");
    let found = planted.is_file();
    assert!(found, "{} is missing: run `{BUILD}`", planted.display());
    let mut plan = Plan::new(Kind::Embedded, 1, planted);
    plan.ops = 1500;
    plan.troubles = vec![Source::Kills];
    let report = torture::run(&plan);
    let twice = |violation: &Violation| matches!(violation, Violation::TwiceLive { .. });
    assert!(report.violations.iter().any(twice), "{report}");
}
