//! From two looks to rates: pure.

use std::collections::BTreeMap;

use berth_types::traffic::{CountTraffic, NodeTraffic, Traffic, TwoWays};

use super::row::{Kind, TopRow};
use crate::cli::SortBy;

/// The last two looks.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    before: BTreeMap<Key, TwoWays<CountTraffic>>,
    elapsed_ms: u64,
    last: Option<Traffic>,
}

/// What tells a row from others of one node: its life, not only its name.
type Key = (Kind, String, String, String, String);

impl Looks {
    /// Takes the next look.
    pub(crate) fn add(&mut self, next: Traffic) {
        if let Some(last) = self.last.take() {
            let elapsed = next.taken.as_millisecond() - last.taken.as_millisecond();
            // A look that is the one before, or a clock that was set back, says nothing new.
            if elapsed <= 0 {
                self.last = Some(next);
                return;
            }
            self.elapsed_ms = u64::try_from(elapsed).unwrap_or(1);
            self.before = rows(&last).map(|(key, _, count)| (key, count)).collect();
        }
        self.last = Some(next);
    }

    /// The node, once it was looked at.
    pub(crate) fn node(&self) -> Option<&NodeTraffic> {
        self.last.as_ref().map(|last| &last.node)
    }

    /// The rows that fit, in order; a container follows its pod where that is there.
    pub(crate) fn rows(&self, sort: SortBy, filter: &str) -> Vec<TopRow> {
        let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
        let all = self.last.iter().flat_map(rows);
        let all = all.map(|(key, row, count)| self.with_rates(&key, row, &count));
        let mut found: Vec<TopRow> = all.filter(|row| row.has(&words)).collect();
        found.sort_by(|a, b| by(sort, a, b));
        let (interfaces, containers): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|row| row.kind == Kind::Interface);
        below(interfaces, containers)
    }

    fn with_rates(&self, key: &Key, row: TopRow, now: &TwoWays<CountTraffic>) -> TopRow {
        let Some(before) = self.before.get(key) else {
            return row;
        };
        let rate = |before: u64, now: u64| {
            let added = u128::from(now.saturating_sub(before));
            let rate = added * 1000 / u128::from(self.elapsed_ms.max(1));
            u64::try_from(rate).unwrap_or(u64::MAX)
        };
        TopRow {
            receive_bytes_per_second: rate(before.receive.bytes, now.receive.bytes),
            transmit_bytes_per_second: rate(before.transmit.bytes, now.transmit.bytes),
            receive_packets_per_second: rate(before.receive.packets, now.receive.packets),
            transmit_packets_per_second: rate(before.transmit.packets, now.transmit.packets),
            ..row
        }
    }
}

/// Puts containers below the first row of their pod; those without one go to the end.
fn below(interfaces: Vec<TopRow>, containers: Vec<TopRow>) -> Vec<TopRow> {
    let mut of_pods: BTreeMap<(String, String), Vec<TopRow>> = BTreeMap::new();
    for row in containers {
        of_pods
            .entry((row.namespace.clone(), row.pod.clone()))
            .or_default()
            .push(row);
    }
    let mut ordered = Vec::new();
    for row in interfaces {
        let pod = (row.namespace.clone(), row.pod.clone());
        ordered.push(row);
        ordered.extend(of_pods.remove(&pod).into_iter().flatten());
    }
    ordered.extend(of_pods.into_values().flatten());
    ordered
}

fn by(sort: SortBy, a: &TopRow, b: &TopRow) -> std::cmp::Ordering {
    let total = |of: &TopRow| of.receive_bytes.saturating_add(of.transmit_bytes);
    let most_first = match sort {
        SortBy::Name => std::cmp::Ordering::Equal,
        SortBy::Receive => b.receive_bytes_per_second.cmp(&a.receive_bytes_per_second),
        SortBy::Transmit => b
            .transmit_bytes_per_second
            .cmp(&a.transmit_bytes_per_second),
        SortBy::Packets => b.packets_per_second().cmp(&a.packets_per_second()),
        SortBy::Total => total(b).cmp(&total(a)),
    };
    let name = |of: &TopRow| (of.namespace.clone(), of.pod.clone(), of.name.clone());
    most_first.then_with(|| name(a).cmp(&name(b)))
}

fn rows(of: &Traffic) -> impl Iterator<Item = (Key, TopRow, TwoWays<CountTraffic>)> {
    let interfaces = of.interfaces.iter().map(|of| {
        let count = TwoWays {
            receive: of.traffic.receive.total,
            transmit: of.traffic.transmit.total,
        };
        let life = format!("{}/{}", of.container, of.created);
        let row = TopRow::interface(of, &count);
        (key(&row, life), row, count)
    });
    let containers = of.containers.iter().map(|of| {
        let life = format!("{}/{}", of.uid, of.created);
        let row = TopRow::container(of);
        (key(&row, life), row, of.traffic)
    });
    interfaces.chain(containers)
}

fn key(row: &TopRow, life: String) -> Key {
    (
        row.kind,
        row.namespace.clone(),
        row.pod.clone(),
        row.name.clone(),
        life,
    )
}

#[cfg(test)]
mod tests;
