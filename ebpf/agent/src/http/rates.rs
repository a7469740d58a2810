//! From one look to the next: who came, who went, and how much each carries a second. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_types::traffic::{CountTraffic, NodeTraffic};
use jiff::Timestamp;
use serde::Serialize;

use crate::export::json;
use crate::export::{driver_label, mode_label};
use crate::model::{Container, Interface, Snapshot};

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    rows: BTreeMap<Key, Known>,
    next: u64,
    taken: Option<Timestamp>,
}

/// What changed since the last look.
#[derive(Debug, Serialize)]
pub(crate) struct Tick {
    /// When it was taken.
    pub(crate) taken: Timestamp,
    /// The node.
    pub(crate) node: NodeTraffic,
    /// Who came.
    pub(crate) add: Vec<Row>,
    /// Who went, by id.
    pub(crate) del: Vec<u64>,
    /// Those that carried something: id, bytes received and sent a second, packets received and
    /// sent a second, bytes received and sent in all.
    pub(crate) rates: Vec<[u64; 7]>,
}

/// Everything there is, for one who has seen nothing.
#[derive(Debug, Serialize)]
pub(crate) struct Hello<'a> {
    /// When it was taken.
    pub(crate) taken: Timestamp,
    /// The node.
    pub(crate) node: &'a NodeTraffic,
    /// Who is there.
    pub(crate) rows: Vec<&'a Row>,
    /// Of all of them what [`Tick::rates`] has.
    pub(crate) rates: Vec<[u64; 7]>,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    id: u64,
    namespace: String,
    pod: String,
    /// An interface's or a container's name.
    name: String,
    #[serde(flatten)]
    about: About,
    created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum About {
    Interface {
        network: String,
        driver: &'static str,
        mode: [&'static str; 2],
        workload: String,
        ended: bool,
        estimated: bool,
        overflowed: bool,
    },
    Container,
}

/// What tells a row from others: what it is, the container or pod, its name, its beginning.
type Key = (u8, String, String, Timestamp);

#[derive(Debug)]
struct Known {
    row: Row,
    numbers: [CountTraffic; 2],
    rate: [u64; 4],
}

impl Rates {
    /// Takes the next look, `elapsed` after the one before. A look that is the one before repeats
    /// the rates that were.
    pub(crate) fn next(&mut self, snapshot: &Snapshot, elapsed: Duration) -> Tick {
        let again = self.taken == Some(snapshot.taken);
        self.taken = Some(snapshot.taken);
        let mut gone = std::mem::take(&mut self.rows);
        let mut add = Vec::new();
        for (key, mut row, numbers) in seen(snapshot) {
            let before = gone.remove(&key);
            let rate = match &before {
                Some(known) if again => known.rate,
                Some(known) => rate(&known.numbers, &numbers, elapsed),
                None => [0; 4],
            };
            row.id = before.as_ref().map_or(self.next, |known| known.row.id);
            self.next = self.next.max(row.id + 1);
            if before.is_none_or(|known| known.row != row) {
                add.push(row.clone());
            }
            self.rows.insert(key, Known { row, numbers, rate });
        }
        let carried = |known: &&Known| known.rate != [0; 4];
        Tick {
            taken: snapshot.taken,
            node: json::node(snapshot),
            add,
            del: gone.into_values().map(|known| known.row.id).collect(),
            rates: self
                .rows
                .values()
                .filter(carried)
                .map(Known::numbers)
                .collect(),
        }
    }

    /// Everything there is.
    pub(crate) fn hello<'a>(&'a self, tick: &'a Tick) -> Hello<'a> {
        Hello {
            taken: tick.taken,
            node: &tick.node,
            rows: self.rows.values().map(|known| &known.row).collect(),
            rates: self.rows.values().map(Known::numbers).collect(),
        }
    }
}

impl Known {
    fn numbers(&self) -> [u64; 7] {
        let [a, b, c, d] = self.rate;
        let [receive, transmit] = self.numbers;
        [self.row.id, a, b, c, d, receive.bytes, transmit.bytes]
    }
}

fn seen(snapshot: &Snapshot) -> impl Iterator<Item = (Key, Row, [CountTraffic; 2])> {
    let interfaces = snapshot.interfaces.iter().map(interface);
    interfaces.chain(snapshot.containers.iter().map(container))
}

fn interface(of: &Interface) -> (Key, Row, [CountTraffic; 2]) {
    let row = Row {
        id: 0,
        namespace: of.pod.namespace.clone(),
        pod: of.pod.name.clone(),
        name: of.ifname.to_string(),
        about: About::Interface {
            network: of.network.to_string(),
            driver: driver_label(of.driver),
            mode: of.mode.map(mode_label),
            workload: of.workload.name.clone(),
            ended: of.ended,
            estimated: of.estimated,
            overflowed: of.overflowed,
        },
        created: of.created,
    };
    let key = (
        0,
        of.container.to_string(),
        of.ifname.to_string(),
        of.created,
    );
    let numbers = [
        json::total(&of.totals.receive),
        json::total(&of.totals.transmit),
    ];
    (key, row, numbers)
}

fn container(of: &Container) -> (Key, Row, [CountTraffic; 2]) {
    let row = Row {
        id: 0,
        namespace: of.pod.namespace.clone(),
        pod: of.pod.name.clone(),
        name: of.name.clone(),
        about: About::Container,
        created: of.created,
    };
    let pod = format!("{}\n{}\n{}", of.pod.namespace, of.pod.name, of.pod.uid);
    let key = (1, pod, of.name.clone(), of.created);
    let numbers = [of.counts.receive, of.counts.transmit];
    let numbers = numbers.map(|count| CountTraffic {
        bytes: count.bytes,
        packets: count.packets,
    });
    (key, row, numbers)
}

/// A second's worth of what was added, rounded to the nearest; nothing for what went back.
fn rate(before: &[CountTraffic; 2], now: &[CountTraffic; 2], elapsed: Duration) -> [u64; 4] {
    let micros = elapsed.as_micros().max(1);
    let one = |before: u64, now: u64| {
        let added = u128::from(now.saturating_sub(before));
        let rate = (added * 1_000_000 + micros / 2) / micros;
        u64::try_from(rate).unwrap_or(u64::MAX)
    };
    let [(b, n), (c, o)] = [(before[0], now[0]), (before[1], now[1])];
    [
        one(b.bytes, n.bytes),
        one(c.bytes, o.bytes),
        one(b.packets, n.packets),
        one(c.packets, o.packets),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(bytes: u64, packets: u64) -> [CountTraffic; 2] {
        [CountTraffic { bytes, packets }, CountTraffic::default()]
    }

    #[test]
    fn a_rate_is_by_the_second_whatever_the_time_between() {
        let cases = [
            ("one second", 1000, [100, 0, 1, 0]),
            ("half a second", 500, [200, 0, 2, 0]),
            ("no time at all", 0, [100_000_000, 0, 1_000_000, 0]),
            ("a suspended machine", 1_000_000, [0, 0, 0, 0]),
        ];
        for (case, millis, expected) in cases {
            let elapsed = Duration::from_millis(millis);
            assert_eq!(
                rate(&counts(7, 1), &counts(107, 2), elapsed),
                expected,
                "{case}"
            );
        }
    }

    #[test]
    fn case_53_what_went_back_has_no_rate() {
        let second = Duration::from_secs(1);
        assert_eq!(rate(&counts(100, 5), &counts(1, 1), second), [0; 4]);
        assert_eq!(
            rate(&counts(0, 0), &counts(u64::MAX, 1), second)[0],
            u64::MAX
        );
    }
}
