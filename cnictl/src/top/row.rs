//! One line: the same in the table, in the terminal and as JSON.

use berth_types::traffic::{ContainerTraffic, CountTraffic, InterfaceTraffic, TwoWays};
use serde::Serialize;

use crate::output::{Cell, Heading, Row, cell};

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// An interface of a pod.
    Interface,
    /// A container of it; bytes are from the IP header on.
    Container,
}

/// One interface or container.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopRow {
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) pod: String,
    /// The interface or the container.
    pub(crate) name: String,
    pub(crate) workload: String,
    pub(crate) receive_bytes_per_second: u64,
    pub(crate) transmit_bytes_per_second: u64,
    pub(crate) receive_packets_per_second: u64,
    pub(crate) transmit_packets_per_second: u64,
    pub(crate) receive_bytes: u64,
    pub(crate) transmit_bytes: u64,
    /// What should be known about the numbers: `ended`, `estimated`, `not told apart`, `not counted`.
    pub(crate) notes: Vec<&'static str>,
}

impl TopRow {
    /// Without rates yet.
    pub(crate) fn interface(of: &InterfaceTraffic, count: &TwoWays<CountTraffic>) -> Self {
        let off = of.mode.receive == "off" || of.mode.transmit == "off";
        let notes = [
            (of.ended, "ended"),
            (of.estimated, "estimated"),
            (of.overflowed, "not told apart"),
            (off, "not counted"),
        ];
        Self {
            workload: of.workload.clone(),
            notes: notes
                .into_iter()
                .filter_map(|(is, note)| is.then_some(note))
                .collect(),
            ..Self::new(
                Kind::Interface,
                [&of.namespace, &of.pod, &of.interface],
                count,
            )
        }
    }

    /// Without rates yet.
    pub(crate) fn container(of: &ContainerTraffic) -> Self {
        Self::new(
            Kind::Container,
            [&of.namespace, &of.pod, &of.container],
            &of.traffic,
        )
    }

    fn new(kind: Kind, names: [&String; 3], count: &TwoWays<CountTraffic>) -> Self {
        let [namespace, pod, name] = names.map(Clone::clone);
        Self {
            kind,
            namespace,
            pod,
            name,
            workload: String::new(),
            receive_bytes_per_second: 0,
            transmit_bytes_per_second: 0,
            receive_packets_per_second: 0,
            transmit_packets_per_second: 0,
            receive_bytes: count.receive.bytes,
            transmit_bytes: count.transmit.bytes,
            notes: Vec::new(),
        }
    }

    /// Whether all of `words`, in small letters, are somewhere in its names.
    pub(crate) fn has(&self, words: &[String]) -> bool {
        let names = [&self.namespace, &self.pod, &self.name, &self.workload];
        let names = names.map(|name| name.to_lowercase()).join(" ");
        words.iter().all(|word| names.contains(word))
    }

    /// Packets a second, both ways.
    pub(crate) const fn packets_per_second(&self) -> u64 {
        self.receive_packets_per_second
            .saturating_add(self.transmit_packets_per_second)
    }

    /// Its cells as text, for people.
    pub(crate) fn texts(&self) -> [String; 8] {
        let name = match self.kind {
            Kind::Interface => harmless(&self.name),
            Kind::Container => format!("· {}", harmless(&self.name)),
        };
        let size = |bytes: u64| {
            scaled(
                u128::from(bytes),
                1024,
                &["B", "KiB", "MiB", "GiB", "TiB", "PiB"],
            )
        };
        [
            harmless(&self.namespace),
            harmless(&self.pod),
            name,
            bits(self.receive_bytes_per_second),
            bits(self.transmit_bytes_per_second),
            scaled(
                u128::from(self.packets_per_second()),
                1000,
                &["/s", "k/s", "M/s"],
            ),
            size(self.receive_bytes),
            size(self.transmit_bytes),
        ]
    }
}

impl Row for TopRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("NAMESPACE"),
        Heading::Text("POD"),
        Heading::Text("KIND"),
        Heading::Text("NAME"),
        Heading::Number("RECEIVE (bit/s)"),
        Heading::Number("SEND (bit/s)"),
        Heading::Number("PACKETS (/s)"),
        Heading::Number("RECEIVED (bytes)"),
        Heading::Number("SENT (bytes)"),
        Heading::Text("NOTES"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let kind = match self.kind {
            Kind::Interface => "interface",
            Kind::Container => "container",
        };
        vec![
            cell(self.namespace.as_str()),
            cell(self.pod.as_str()),
            cell(kind),
            cell(self.name.as_str()),
            Cell::show(u128::from(self.receive_bytes_per_second) * 8),
            Cell::show(u128::from(self.transmit_bytes_per_second) * 8),
            Cell::show(self.packets_per_second()),
            Cell::show(self.receive_bytes),
            Cell::show(self.transmit_bytes),
            Cell::sentence(&self.notes.join(", ")),
        ]
    }
}

/// A name without what would drive a terminal.
pub(crate) fn harmless(name: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{FFFD}' } else { c };
    name.chars().map(shown).collect()
}

fn bits(bytes: u64) -> String {
    let units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
    scaled(u128::from(bytes) * 8, 1000, &units)
}

/// With one digit after the point, rounded down.
fn scaled(number: u128, base: u128, units: &[&str]) -> String {
    let mut divisor = 1;
    let mut at = 0;
    while number / divisor >= base && at + 1 < units.len() {
        divisor *= base;
        at += 1;
    }
    let unit = units.get(at).copied().unwrap_or_default();
    let (whole, rest) = (number / divisor, number % divisor);
    match at {
        0 => format!("{whole} {unit}"),
        _ => format!("{whole}.{} {unit}", rest * 10 / divisor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_unit_that_fits() {
        let cases = [
            (0, "0 bit/s"),
            (124, "992 bit/s"),
            (125, "1.0 kbit/s"),
            (1_999_999, "15.9 Mbit/s"),
        ];
        for (bytes, text) in cases {
            assert_eq!(bits(bytes), text);
        }
        assert!(bits(u64::MAX).ends_with("Tbit/s"));
    }

    #[test]
    fn a_name_does_not_drive_the_terminal() {
        assert_eq!(
            harmless("a\u{1b}[31m\n\u{9b}b"),
            "a\u{FFFD}[31m\u{FFFD}\u{FFFD}b"
        );
    }
}
