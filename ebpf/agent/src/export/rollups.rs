//! Sums that never go back: of workloads, of namespaces, of the node.

use std::collections::BTreeMap;

use berth_ebpf_common::{
    Count, Family as IpFamily, Protocol, RTT_BOUNDS_US, RTT_BUCKETS, Scope, Totals,
};
use jiff::Timestamp;

use super::counts::{self, OF_WORKLOAD};
use super::families::traffic as f;
use super::options::{ExportOptions, Level, Tcp};
use super::pods::{DIRECTIONS, is_written};
use super::rows::Rows;
use super::text::{Created, Labels, Text};
use crate::model::{Workload, scope_label};

/// Workloads.
pub(crate) fn write_workloads(text: &mut Text, rows: &Rows, level: Level) {
    for (direction, family) in f::WORKLOAD_BYTES.iter().enumerate() {
        text.family(family);
        for row in &rows.workloads {
            scopes(
                text,
                &row.labels,
                (&row.numbers, direction),
                (level, &row.created),
            );
        }
    }
}

/// The node. A workload that is in the bucket counts here as any other.
pub(crate) fn write_node(text: &mut Text, workloads: &[Workload], level: Level) {
    let mut sum = [0; OF_WORKLOAD];
    for workload in workloads {
        counts::add(&mut sum, &counts::of_workload(&workload.totals));
    }
    let Some(created) = workloads.iter().map(|workload| workload.created).min() else {
        return;
    };
    let created = Created::at(created);
    for (direction, family) in f::NODE_BYTES.iter().enumerate() {
        text.family(family);
        scopes(
            text,
            &Labels::default(),
            (&sum, direction),
            (level, &created),
        );
    }
}

/// Namespaces, where that is asked for.
pub(crate) fn write_namespaces(text: &mut Text, workloads: &[Workload], options: &ExportOptions) {
    let namespaces = Namespace::all(workloads);
    if options.level == Level::Detail {
        text.family(&f::NAMESPACE_BYTES);
        for namespace in &namespaces {
            namespace.write(text, |count| count.bytes);
        }
        text.family(&f::NAMESPACE_PACKETS);
        for namespace in &namespaces {
            namespace.write(text, |count| count.packets);
        }
    }
    if options.tcp == Tcp::On {
        text.family(&f::TCP_RTT);
        for namespace in &namespaces {
            namespace.write_rtt(text);
        }
    }
}

fn scopes(
    text: &mut Text,
    labels: &Labels,
    of: (&[u64; OF_WORKLOAD], usize),
    how: (Level, &Created),
) {
    let ((numbers, direction), (level, created)) = (of, how);
    let numbers = numbers.iter().skip(4 * direction);
    for (number, scope) in numbers.zip(Scope::ALL) {
        if is_written(level, scope, *number) {
            text.count(labels, ("scope", scope_label(scope)), (*number, created));
        }
    }
}

/// The sums of one namespace.
struct Namespace {
    labels: Labels,
    created: Timestamp,
    /// Receive and transmit, by protocol and family.
    counts: [[[Count; 3]; 5]; 2],
    rtt: [u64; RTT_BUCKETS],
    rtt_sum_us: u64,
}

impl Namespace {
    fn all(workloads: &[Workload]) -> Vec<Self> {
        let mut sums: BTreeMap<&str, Self> = BTreeMap::new();
        for Workload {
            name,
            created,
            totals,
        } in workloads
        {
            let of_it = sums.entry(&name.namespace);
            let sum = of_it.or_insert_with(|| Self::new(&name.namespace, *created));
            sum.add(*created, totals);
        }
        sums.into_values().collect()
    }

    fn new(name: &str, created: Timestamp) -> Self {
        Self {
            labels: Labels::of(&[("namespace", name)]),
            created,
            counts: [[[Count::default(); 3]; 5]; 2],
            rtt: [0; RTT_BUCKETS],
            rtt_sum_us: 0,
        }
    }

    fn add(&mut self, created: Timestamp, totals: &Totals) {
        self.created = self.created.min(created);
        let more = [&totals.receive_detail, &totals.transmit_detail];
        let more = more.into_iter().flatten().flatten();
        for (sum, more) in self.counts.iter_mut().flatten().flatten().zip(more) {
            sum.bytes = sum.bytes.saturating_add(more.bytes);
            sum.packets = sum.packets.saturating_add(more.packets);
        }
        counts::add(&mut self.rtt, &totals.tcp.rtt);
        self.rtt_sum_us = self.rtt_sum_us.saturating_add(totals.tcp.rtt_sum_us);
    }

    fn write(&self, text: &mut Text, of: impl Fn(&Count) -> u64) {
        let created = Created::at(self.created);
        for (direction, protocols) in DIRECTIONS.iter().zip(&self.counts) {
            let labels = self.labels.with("direction", direction);
            for (protocol, families) in Protocol::ALL.into_iter().zip(protocols) {
                let labels = labels.with("protocol", protocol_label(protocol));
                for (family, count) in IpFamily::ALL.into_iter().zip(families) {
                    let family = ("family", family_label(family));
                    text.count(&labels, family, (of(count), &created));
                }
            }
        }
    }

    fn write_rtt(&self, text: &mut Text) {
        let mut below = 0_u64;
        for (at, bucket) in self.rtt.iter().enumerate() {
            below = below.saturating_add(*bucket);
            let bound = RTT_BOUNDS_US
                .get(at)
                .map_or_else(|| "+Inf".to_owned(), |us| seconds(*us));
            text.part("_bucket", &self.labels.with("le", &bound), below);
        }
        let (whole, rest) = (self.rtt_sum_us / 1_000_000, self.rtt_sum_us % 1_000_000);
        text.part("_sum", &self.labels, format_args!("{whole}.{rest:06}"));
        text.part("_count", &self.labels, below);
        text.created(&self.labels, ("", ""), &Created::at(self.created));
    }
}

/// A bound of a bucket as `OpenMetrics` writes it, which is always a float.
fn seconds(micros: u32) -> String {
    let written = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let short = written.trim_end_matches('0');
    if short.ends_with('.') {
        format!("{short}0")
    } else {
        short.to_owned()
    }
}

/// The name of a protocol in labels.
pub(crate) const fn protocol_label(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Icmp => "icmp",
        Protocol::Sctp => "sctp",
        Protocol::Other => "other",
    }
}

/// The name of an address family in labels.
pub(crate) const fn family_label(family: IpFamily) -> &'static str {
    match family {
        IpFamily::V4 => "ipv4",
        IpFamily::V6 => "ipv6",
        IpFamily::None => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_buckets_are_floats() {
        let bounds = RTT_BOUNDS_US.map(seconds);
        assert_eq!(
            bounds,
            ["0.0001", "0.0005", "0.001", "0.005", "0.02", "0.1", "0.5"]
        );
        assert_eq!(seconds(2_000_000), "2.0");
    }
}
