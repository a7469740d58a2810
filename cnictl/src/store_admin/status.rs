//! The store's state as it is printed. Pure.

use berth_ipam::closure::{NodeState, View};
use berth_store::LineageSeen;
use jiff::Timestamp;
use serde::Serialize;

use crate::node::NodeRow;
use crate::output::{Cell, Sheet, cell, fields, sheet};

/// The sheet of `store status`. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusSheet {
    /// `open` or `closed`.
    state: &'static str,
    /// Since when it is closed.
    since: Option<Timestamp>,
    /// Why.
    reason: Option<String>,
    /// The node that noticed; null for an operator.
    noticed_by: Option<String>,
    /// The closure's id.
    closure: Option<String>,
    /// Why the closing record cannot be read; it closes the store all the same.
    problem: Option<String>,
    /// Which store answered: etcd's cluster id, or the embedded store's own.
    lineage: Option<String>,
    /// The store's revision.
    revision: u64,
    /// The nodes that the store waits for.
    missing: Vec<String>,
    /// Every node that it knows.
    nodes: Vec<NodeRow>,
}

impl StatusSheet {
    pub(super) fn of(view: &View, lineage: &LineageSeen) -> Self {
        let readable = view.closed.as_ref().map(|(_, closed)| closed.as_ref());
        let closed = readable.and_then(Result::ok);
        let problem = readable.and_then(Result::err);
        let missing = view
            .nodes
            .iter()
            .filter(|(_, node)| view.state(node) == NodeState::Missing);
        Self {
            state: if view.closed.is_some() {
                "closed"
            } else {
                "open"
            },
            since: closed.map(|closed| closed.since),
            reason: closed.map(|closed| closed.reason.clone()),
            noticed_by: closed.and_then(|c| c.noticed_by.as_ref().map(ToString::to_string)),
            closure: closed.map(|closed| closed.id.to_string()),
            problem: problem.map(ToString::to_string),
            lineage: match lineage {
                LineageSeen::One(lineage) => Some(lineage.to_string()),
                LineageSeen::Nobody | LineageSeen::Several => None,
            },
            revision: view.revision.0,
            missing: missing.map(|(name, _)| name.to_string()).collect(),
            nodes: NodeRow::all(view),
        }
    }
}

impl Sheet for StatusSheet {
    fn text(&self) -> String {
        let Self {
            state,
            since,
            reason,
            noticed_by,
            closure,
            problem,
            lineage,
            revision,
            missing,
            nodes,
        } = self;
        let mut lines = vec![("State", cell(*state))];
        if *state == "closed" {
            lines.extend([
                ("Since (UTC)", cell(*since)),
                ("Reason", Cell::sentence(reason.as_deref().unwrap_or("-"))),
                (
                    "Noticed by",
                    cell(
                        noticed_by
                            .as_deref()
                            .or(problem.is_none().then_some("an-operator")),
                    ),
                ),
                ("Closure", cell(closure.as_deref())),
                ("Waits for", Cell::sentence(&waited_for(missing))),
            ]);
        }
        lines.extend(problem.iter().map(|why| ("Problem", Cell::sentence(why))));
        lines.extend([
            ("Store", cell(lineage.as_deref())),
            ("Revision", cell(*revision)),
        ]);
        fields(&lines) + &sheet(nodes)
    }
}

fn waited_for(missing: &[String]) -> String {
    if missing.is_empty() {
        "nobody: `cnictl store open`".to_owned()
    } else {
        missing.join(", ")
    }
}
