//! What is written of programs, links and maps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::{by_one, counters, sums};
use crate::export::families::agent as f;
use crate::export::pods::DIRECTIONS;
use crate::export::text::{Created, Family, Labels, Text};
use crate::export::words::mode_label;
use crate::model::{Health, Interface, Mode, ProgramRuns};

/// One for every way that at least one interface is counted.
pub(super) fn attach_modes(text: &mut Text, interfaces: &[Interface], kernel: &str) {
    text.family(&f::ATTACH_MODE);
    for (at, hook) in DIRECTIONS.into_iter().enumerate() {
        let modes = interfaces
            .iter()
            .filter(|of| !of.ended)
            .filter_map(|of| of.mode.get(at));
        let modes: BTreeSet<&Mode> = modes.collect();
        for mode in modes {
            let about = [
                ("hook", hook),
                ("mode", mode_label(*mode)),
                ("kernel", kernel),
            ];
            text.sample(&Labels::of(&about), 1);
        }
    }
}

pub(super) fn attaching(text: &mut Text, health: &Health, started: &Created) {
    text.family(&f::LINKS);
    let links = health
        .links
        .iter()
        .map(|of| (vec![of.hook, of.state], of.links));
    for (labels, links) in sums(&["hook", "state"], links) {
        text.sample(&labels, links);
    }
    text.family(&f::DUPLICATES_REMOVED);
    for (hook, links) in DIRECTIONS.into_iter().zip(health.duplicates_removed) {
        text.count(&Labels::default(), ("hook", hook), (links, started));
    }
    let failures = health.attach_failures.iter();
    let failures = failures.map(|(hook, reason, n)| (vec![hook.as_str(), reason.as_str()], *n));
    counters(
        text,
        &f::ATTACH_FAILURES,
        sums(&["hook", "reason"], failures),
        started,
    );
    counters(
        text,
        &f::RESTORED,
        by_one("source", &health.restored),
        started,
    );
    text.family(&f::OPEN_NETNS);
    text.sample(&Labels::default(), health.open_netns);
}

pub(super) fn maps(text: &mut Text, health: &Health, started: &Created) {
    let maps: BTreeMap<&str, [u64; 3]> = health
        .maps
        .iter()
        .map(|(name, used, most, bytes)| (name.as_str(), [*used, *most, *bytes]))
        .collect();
    let families = [&f::MAP_ENTRIES, &f::MAP_MAX_ENTRIES, &f::MAP_BYTES];
    for (at, family) in families.into_iter().enumerate() {
        text.family(family);
        for (name, numbers) in &maps {
            let number = numbers.get(at).copied().unwrap_or_default();
            text.sample(&Labels::of(&[("map", name)]), number);
        }
    }
    counters(
        text,
        &f::MAP_FAILURES,
        by_one("map", &health.map_failures),
        started,
    );
}

/// Nothing when they were never measured.
pub(super) fn programs(text: &mut Text, health: &Health, started: &Created) {
    if health.programs.is_empty() {
        return;
    }
    let rows = |text: &mut Text, family: &Family, of: fn(&ProgramRuns) -> Box<dyn Display>| {
        text.family(family);
        for row in &health.programs {
            let labels = Labels::of(&[("program", &row.program)]);
            text.count(&labels, ("", ""), (of(row), started));
        }
    };
    rows(text, &f::PROGRAM_RUNS, |row| Box::new(row.runs));
    rows(text, &f::PROGRAM_SECONDS, |row| {
        Box::new(Nanoseconds(row.nanoseconds))
    });
}

/// A time in seconds, in full.
struct Nanoseconds(u64);

impl Display for Nanoseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        write!(f, "{seconds}.{rest:09}")
    }
}
