//! A node as it is printed. Pure.

use berth_ipam::closure::{NodeState, NodeView, View};
use berth_types::{NodeName, NodeRecord};
use jiff::Timestamp;
use serde::Serialize;

use crate::output::{Cell, Heading, Row, Sheet, cell, fields};

/// A node: a row of `node list` and `store status`, the sheet of `node show`. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeRow {
    /// Its name.
    pub(crate) node: String,
    /// How it stands to the store's closure: `not-asked` while the store is open, `republished`,
    /// `dead` (an operator says so) or `missing`.
    pub(crate) answer: &'static str,
    /// How many attachments the store has of it.
    attachments: usize,
    /// How many blocks it has.
    blocks: usize,
    /// The random id of its machine; null where its name was never written down.
    node_id: Option<String>,
    /// That machine's `/etc/machine-id`.
    machine_id: Option<String>,
    /// The boot it was last seen in.
    boot_id: Option<String>,
    /// When its upkeep last finished a pass.
    upkeep: Option<Timestamp>,
    /// How many of the machines that made its attachments are others than the one it is now.
    other_machines: usize,
    /// The store's revision of its record.
    revision: Option<u64>,
    /// Why its record cannot be read.
    pub(crate) problem: Option<String>,
}

impl NodeRow {
    /// Every node of `view`, in order.
    pub(crate) fn all(view: &View) -> Vec<Self> {
        let nodes = view.nodes.iter();
        nodes
            .map(|(name, node)| Self::of(name, node, view.state(node)))
            .collect()
    }

    fn of(name: &NodeName, node: &NodeView, state: NodeState) -> Self {
        let NodeView {
            record,
            attachments,
            blocks,
            made_by,
        } = node;
        let readable = record.as_ref().and_then(|(_, record)| record.as_ref().ok());
        let text =
            |part: fn(&NodeRecord) -> String| readable.map(part).filter(|text| !text.is_empty());
        let others = made_by
            .iter()
            .filter(|id| readable.is_some_and(|record| record.node_id != **id));
        Self {
            node: name.to_string(),
            answer: match state {
                NodeState::NotAsked => "not-asked",
                NodeState::Republished => "republished",
                NodeState::Dead => "dead",
                NodeState::Missing => "missing",
            },
            attachments: *attachments,
            blocks: *blocks,
            node_id: text(|record| record.node_id.to_string()),
            machine_id: text(|record| record.machine_id.clone()),
            boot_id: text(|record| record.boot_id.clone()),
            upkeep: readable.and_then(|record| record.upkeep),
            other_machines: others.count(),
            revision: record.as_ref().map(|(at, _)| at.0),
            problem: record
                .as_ref()
                .and_then(|(_, record)| record.as_ref().err().map(ToString::to_string)),
        }
    }
}

impl Row for NodeRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("NODE"),
        Heading::Text("ANSWER"),
        Heading::Number("ATTACHMENTS"),
        Heading::Number("BLOCKS"),
        Heading::Text("NODE-ID"),
        Heading::Text("UPKEEP (UTC)"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            cell(self.node.as_str()),
            cell(self.answer),
            Cell::show(self.attachments),
            Cell::show(self.blocks),
            cell(self.node_id.as_deref()),
            cell(self.upkeep),
        ]
    }
}

impl Sheet for NodeRow {
    fn text(&self) -> String {
        let Self {
            node,
            answer,
            attachments,
            blocks,
            node_id,
            machine_id,
            boot_id,
            upkeep,
            other_machines,
            revision,
            problem,
        } = self;
        fields(&[
            ("Node", cell(node.as_str())),
            ("Answer", cell(*answer)),
            ("Attachments", Cell::show(attachments)),
            ("Blocks", Cell::show(blocks)),
            ("Node id", cell(node_id.as_deref())),
            ("Machine id", cell(machine_id.as_deref())),
            ("Boot id", cell(boot_id.as_deref())),
            ("Upkeep (UTC)", cell(*upkeep)),
            ("Other machines", Cell::show(other_machines)),
            ("Revision", cell(*revision)),
            ("Problem", Cell::sentence(problem.as_deref().unwrap_or("-"))),
        ])
    }
}
