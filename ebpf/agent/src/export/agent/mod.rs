//! What is written of the agent itself.

mod kernel;

use std::collections::BTreeMap;
use std::fmt::Display;

use berth_ebpf_common::ABI;

use self::kernel::{attach_modes, attaching, maps, programs};
use super::durations::Durations;
use super::families::{agent as f, process, traffic};
use super::pods::DIRECTIONS;
use super::process::Process;
use super::shelf::Dropped;
use super::text::{Created, Family, Labels, Text};
use super::words::reason_label;
use crate::model::{Health, Snapshot};

/// Which quantiles of the drift are shown: from 0 to 100, and as the label says it.
const QUANTILES: [(usize, &str); 3] = [(50, "0.5"), (90, "0.9"), (100, "1")];

/// What one part of the exposition takes: what it is about, series, bytes.
pub(crate) type Part = (&'static str, usize, usize);

/// What the exporter knows of itself.
#[derive(Debug)]
pub(crate) struct Own<'a> {
    /// How long it took so far.
    pub(crate) durations: &'a Durations,
    /// What the other parts take.
    pub(crate) parts: &'a [Part],
    /// What was left out so far.
    pub(crate) dropped: Dropped,
    /// How the process does, where that could be seen.
    pub(crate) process: Option<&'a Process>,
}

/// Everything of the agent.
pub(crate) fn write(text: &mut Text, snapshot: &Snapshot, own: &Own<'_>) {
    let health = &snapshot.health;
    let started = Created::seconds(health.started);
    identity(text, health);
    attach_modes(text, &snapshot.interfaces, &health.kernel);
    attaching(text, health, &started);
    maps(text, health, &started);
    programs(text, health, &started);
    audit(text, snapshot, &started);
    unattributed(text, snapshot);
    lookups(text, health, &started);
    exporter(text, own, &started);
    if let Some(process) = own.process {
        write_process(text, process);
    }
}

fn identity(text: &mut Text, health: &Health) {
    text.family(&f::BUILD);
    let abi = ABI.to_string();
    let commit = option_env!("BERTH_COMMIT").unwrap_or_default();
    let about = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("commit", commit),
        ("bpf_abi", &abi),
    ];
    text.sample(&Labels::of(&about), 1);
    text.family(&f::STARTED);
    text.sample(&Labels::default(), Float(health.started));
    text.family(&f::DEGRADED);
    text.sample(&Labels::default(), health.degraded.len());
    text.family(&f::COVERAGE);
    let (recorded, counted) = health.coverage;
    text.sample(&Labels::of(&[("state", "recorded")]), recorded);
    text.sample(&Labels::of(&[("state", "counted")]), counted);
}

fn audit(text: &mut Text, snapshot: &Snapshot, started: &Created) {
    text.family(&f::DRIFT);
    for (at, direction) in DIRECTIONS.into_iter().enumerate() {
        let drifts = snapshot
            .interfaces
            .iter()
            .filter_map(|of| of.drift?.get(at).copied());
        let mut drifts: Vec<f64> = drifts.filter(|drift| drift.is_finite()).collect();
        drifts.sort_by(f64::total_cmp);
        let labels = Labels::of(&[("direction", direction)]);
        for (percent, quantile) in QUANTILES {
            // The smallest that so many are not above.
            let place = (drifts.len() * percent).div_ceil(100).saturating_sub(1);
            if let Some(drift) = drifts.get(place) {
                text.sample_of(&labels, ("quantile", quantile), Float(*drift));
            }
        }
    }
    let failures = by_one("reason", &snapshot.health.audit_failures);
    counters(text, &f::AUDIT_FAILURES, failures, started);
}

fn unattributed(text: &mut Text, snapshot: &Snapshot) {
    text.family(&traffic::UNATTRIBUTED);
    let of = snapshot.unattributed.iter().flat_map(|(reason, counts)| {
        let reason = reason_label(*reason);
        let bytes = [counts.receive.bytes, counts.transmit.bytes];
        DIRECTIONS
            .into_iter()
            .zip(bytes)
            .map(move |(of, bytes)| (vec![reason, of], bytes))
    });
    for (labels, bytes) in sums(&["reason", "direction"], of) {
        text.sample(&labels, bytes);
    }
}

fn lookups(text: &mut Text, health: &Health, started: &Created) {
    let failures = by_one("source", &health.lookup_failures);
    counters(text, &f::LOOKUP_FAILURES, failures, started);
    if let Some(up) = health.cri_up {
        text.family(&f::CRI_UP);
        text.sample(&Labels::default(), u8::from(up));
    }
    if let Some(lag) = health.events_lag {
        text.family(&f::EVENTS_LAG);
        text.sample(&Labels::default(), Float(lag));
    }
}

fn exporter(text: &mut Text, own: &Own<'_>, started: &Created) {
    text.family(&f::COLLECT);
    own.durations.write(text, started);
    text.family(&f::SCRAPE_BYTES);
    for (family, _, bytes) in own.parts {
        text.sample(&Labels::of(&[("family", family)]), bytes);
    }
    text.family(&f::SERIES);
    for (family, series, _) in own.parts {
        text.sample(&Labels::of(&[("family", family)]), series);
    }
    text.family(&f::SERIES_DROPPED);
    let Dropped { budget, duplicate } = own.dropped;
    for (reason, series) in [("budget", budget), ("duplicate", duplicate)] {
        text.count(&Labels::default(), ("reason", reason), (series, started));
    }
}

fn write_process(text: &mut Text, of: &Process) {
    let none = Labels::default();
    text.family(&process::CPU);
    text.sample(&none, Float(of.cpu_seconds));
    let gauges = [
        (&process::RSS, of.resident_bytes),
        (&process::VIRTUAL, of.virtual_bytes),
        (&process::FDS, of.open_fds),
        (&process::MAX_FDS, of.max_fds),
        (&process::THREADS, of.threads),
    ];
    for (family, number) in gauges {
        text.family(family);
        text.sample(&none, number);
    }
    text.family(&process::STARTED);
    text.sample(&none, Float(of.started));
}

fn counters(text: &mut Text, family: &Family, of: BTreeMap<Labels, u64>, started: &Created) {
    text.family(family);
    for (labels, number) in of {
        text.count(&labels, ("", ""), (number, started));
    }
}

fn by_one(name: &str, of: &[(String, u64)]) -> BTreeMap<Labels, u64> {
    sums(
        &[name],
        of.iter()
            .map(|(value, number)| (vec![value.as_str()], *number)),
    )
}

/// What has one set of labels is one sample, whoever reported it how often.
fn sums<'a>(
    names: &[&str],
    of: impl Iterator<Item = (Vec<&'a str>, u64)>,
) -> BTreeMap<Labels, u64> {
    let mut sums = BTreeMap::new();
    for (values, number) in of {
        let pairs: Vec<(&str, &str)> = names.iter().copied().zip(values).collect();
        let sum: &mut u64 = sums.entry(Labels::of(&pairs)).or_default();
        *sum = sum.saturating_add(number);
    }
    sums
}

/// A number as both forms write it, which know other names for what is not finite.
struct Float(f64);

impl Display for Float {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            number if number.is_nan() => f.write_str("NaN"),
            number if number.is_infinite() => {
                f.write_str(if number > 0.0 { "+Inf" } else { "-Inf" })
            }
            number => write!(f, "{number}"),
        }
    }
}
