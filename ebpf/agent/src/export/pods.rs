//! What is written of pods and their containers.

use berth_ebpf_common::Scope;

use super::counts::{self, OF_INTERFACE};
use super::families::traffic as f;
use super::options::{ExportOptions, Level, Tcp};
use super::rows::{InterfaceRow, Rows};
use super::text::{Family, Text};
use crate::model::scope_label;

/// The values of the label `direction`.
pub(crate) const DIRECTIONS: [&str; 2] = ["receive", "transmit"];

/// Pods, and how their TCP does.
pub(crate) fn write(text: &mut Text, rows: &Rows, options: &ExportOptions) {
    for (family, from) in f::POD_BYTES.iter().zip(counts::BYTES) {
        by_scope(text, family, &rows.interfaces, (from, options.level));
    }
    for (family, from) in f::POD_PACKETS.iter().zip(counts::PACKETS) {
        by_scope(text, family, &rows.interfaces, (from, options.level));
    }
    for (family, at) in f::POD_DROPPED.iter().zip(counts::DROPPED) {
        text.family(family);
        for interface in rows
            .interfaces
            .iter()
            .filter(|interface| interface.has_device)
        {
            let number = number(&interface.row.numbers, at);
            text.count(
                &interface.row.labels,
                ("", ""),
                (number, &interface.row.created),
            );
        }
    }
    about(text, rows);
    if options.tcp == Tcp::On {
        tcp(text, rows);
    }
}

/// Containers.
pub(crate) fn write_containers(text: &mut Text, rows: &Rows, level: Level) {
    let families = f::CONTAINER_BYTES.iter().chain(&f::CONTAINER_PACKETS);
    for (at, family) in families.enumerate() {
        text.family(family);
        for row in &rows.containers {
            text.count(
                &row.labels,
                ("", ""),
                (number(&row.numbers, at), &row.created),
            );
        }
    }
    if level == Level::Detail {
        text.family(&f::CONTAINER_LOOPBACK);
        for row in &rows.containers {
            for (at, direction) in (4..).zip(DIRECTIONS) {
                let number = number(&row.numbers, at);
                text.count(
                    &row.labels,
                    ("direction", direction),
                    (number, &row.created),
                );
            }
        }
    }
}

/// Whether a number by scope is written: where scopes are not told apart only what is there.
pub(crate) const fn is_written(level: Level, scope: Scope, number: u64) -> bool {
    match level {
        Level::Min => number > 0 || matches!(scope, Scope::Other),
        Level::Default | Level::Detail => true,
    }
}

fn by_scope(text: &mut Text, family: &Family, rows: &[InterfaceRow], from: (usize, Level)) {
    let (from, level) = from;
    text.family(family);
    for InterfaceRow { row, .. } in rows {
        for (at, scope) in (from..).zip(Scope::ALL) {
            let number = number(&row.numbers, at);
            if is_written(level, scope, number) {
                let label = ("scope", scope_label(scope));
                text.count(&row.labels, label, (number, &row.created));
            }
        }
    }
}

fn about(text: &mut Text, rows: &Rows) {
    text.family(&f::POD_INFO);
    for about in rows.interfaces.iter().filter_map(|row| row.about.as_ref()) {
        text.sample(&about.info, 1);
    }
    text.family(&f::POD_ATTACHED);
    for interface in &rows.interfaces {
        let Some(about) = &interface.about else {
            continue;
        };
        for (direction, attached) in DIRECTIONS.into_iter().zip(about.attached) {
            let label = ("direction", direction);
            text.sample_of(&interface.row.labels, label, u8::from(attached));
        }
    }
}

fn tcp(text: &mut Text, rows: &Rows) {
    text.family(&f::TCP_RETRANSMITS);
    for pod in &rows.pods {
        let number = number(&pod.numbers, counts::RETRANSMITS);
        text.count(&pod.labels, ("", ""), (number, &pod.created));
    }
    text.family(&f::TCP_RESETS);
    for pod in &rows.pods {
        for (direction, at) in DIRECTIONS.into_iter().zip(counts::RESETS) {
            let number = number(&pod.numbers, at);
            text.count(
                &pod.labels,
                ("direction", direction),
                (number, &pod.created),
            );
        }
    }
    text.family(&f::TCP_CONNECTS);
    for pod in &rows.pods {
        for (at, result) in counts::CONNECTS {
            let number = number(&pod.numbers, at);
            text.count(&pod.labels, ("result", result), (number, &pod.created));
        }
    }
}

/// A number by its place, which is within by construction.
fn number<const N: usize>(numbers: &[u64; N], at: usize) -> u64 {
    numbers.get(at).copied().unwrap_or_default()
}

const _: () = assert!(counts::CONNECTS[2].0 + 1 == OF_INTERFACE);
