//! What a change changes of a pool, for people and for programs. Pure.

use std::fmt::Display;

use berth_types::{PoolRecord, Subnet};
use serde::Serialize;

use crate::cli::values::show_seconds;
use crate::output::{Cell, Heading, Row, amount, cell};

/// One field that differs. Stable JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiffRow {
    /// Which, as `pool show` calls it.
    pub(super) field: &'static str,
    /// What it was; empty for nothing.
    pub(super) before: String,
    /// What it is.
    pub(super) after: String,
}

/// The fields that differ.
pub(super) fn diff(before: &PoolRecord, after: &PoolRecord) -> Vec<DiffRow> {
    let (old, new) = (fields(before), fields(after));
    let pairs = old.into_iter().zip(new);
    pairs
        .filter(|((_, old), (_, new))| old != new)
        .map(|((field, before), (_, after))| DiffRow {
            field,
            before,
            after,
        })
        .collect()
}

fn fields(pool: &PoolRecord) -> [(&'static str, String); 9] {
    let PoolRecord {
        v: _,
        subnets,
        block_size,
        namespaces,
        nodes,
        sticky,
        sticky_for_s,
        cooldown_s,
        state,
    } = pool;
    [
        ("subnets", join(subnets.iter().map(|subnet| subnet.cidr))),
        (
            "excluded",
            join(subnets.iter().flat_map(|Subnet { exclude, .. }| exclude)),
        ),
        ("size", amount(pool.size())),
        ("blockSize", block_size.to_string()),
        ("namespaces", patterns(namespaces)),
        ("nodes", patterns(nodes)),
        ("sticky", sticky_words(*sticky, *sticky_for_s)),
        ("cooldown", show_seconds(*cooldown_s)),
        ("state", state.to_string()),
    ]
}

/// The patterns with commas between them; `all` when there are none.
pub(super) fn patterns(patterns: &[impl Display]) -> String {
    if patterns.is_empty() {
        "all".to_owned()
    } else {
        join(patterns)
    }
}

/// How long a pool keeps a pod's address unused; `no` when it keeps none.
pub(super) fn sticky_words(sticky: bool, time: u32) -> String {
    match (sticky, time) {
        (false, _) => "no".to_owned(),
        (true, 0) => "for-ever".to_owned(),
        (true, time) => show_seconds(time),
    }
}

fn join(values: impl IntoIterator<Item = impl Display>) -> String {
    let values: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    values.join(",")
}

impl Row for DiffRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("FIELD"),
        Heading::Text("BEFORE"),
        Heading::Text("AFTER"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            field,
            before,
            after,
        } = self;
        vec![cell(*field), cell(before.as_str()), cell(after.as_str())]
    }
}
