//! Addresses for people: what stands in which column.

use berth_types::PodRef;

use super::row::{AddressRow, HolderRow, PreviousRow};
use crate::output::{Cell, Heading, Row, Sheet, cell, fields, sheet};

/// A pod as one word.
pub(crate) fn pod_cell(pod: Option<&PodRef>) -> Cell {
    pod.map_or_else(|| cell(""), Cell::show)
}

impl Row for AddressRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("ADDRESS"),
        Heading::Text("POOL"),
        Heading::Text("STATE"),
        Heading::Text("NODE"),
        Heading::Text("POD"),
        Heading::Text("INTERFACE"),
        Heading::Text("MAC"),
        Heading::Text("SINCE (UTC)"),
        Heading::Text("CONTAINER"),
        Heading::Text("RESERVED FOR"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let holder = self.holder.as_ref();
        let text = |of: fn(&HolderRow) -> &str| cell(holder.map(of));
        vec![
            cell(self.address.as_str()),
            cell(self.pool.as_deref()),
            cell(self.state.word()),
            text(|h| &h.node),
            pod_cell(holder.and_then(|h| h.pod.as_ref())),
            text(|h| &h.interface),
            text(|h| &h.mac),
            cell(holder.map(|h| h.since)),
            text(|h| &h.container),
            cell(self.reserved_for.as_deref()),
        ]
    }
}

impl Row for PreviousRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("PREVIOUS HOLDER"),
        Heading::Text("POD"),
        Heading::Text("SINCE (UTC)"),
        Heading::Text("UNTIL (UTC)"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            attachment,
            pod,
            since,
            until,
        } = self;
        vec![
            cell(attachment.as_str()),
            pod_cell(pod.as_ref()),
            cell(Some(*since)),
            cell(Some(*until)),
        ]
    }
}

impl Sheet for AddressRow {
    fn text(&self) -> String {
        let mut lines = vec![
            ("ADDRESS", cell(self.address.as_str())),
            ("POOL", cell(self.pool.as_deref())),
            ("STATE", cell(self.state.word())),
            ("MEANING", Cell::sentence(self.state.meaning())),
        ];
        if let Some(holder) = &self.holder {
            lines.extend([
                ("NODE", cell(holder.node.as_str())),
                ("NETWORK", cell(holder.network.as_str())),
                ("CONTAINER", cell(holder.container.as_str())),
                ("INTERFACE", cell(holder.interface.as_str())),
                ("POD", pod_cell(holder.pod.as_ref())),
                (
                    "POD UID",
                    cell(holder.pod.as_ref().map(|pod| pod.uid.as_str())),
                ),
                ("MAC", cell(holder.mac.as_str())),
                ("SINCE (UTC)", cell(Some(holder.since))),
            ]);
        }
        if let Some(reserved_for) = &self.reserved_for {
            lines.push(("RESERVED FOR", cell(reserved_for.as_str())));
        }
        if self.unproven {
            lines.push(("UNPROVEN", cell("yes")));
        }
        if self.released_at.is_some() {
            lines.push(("RELEASED (UTC)", cell(self.released_at)));
        }
        if self.revision.is_some() {
            lines.push(("REVISION", cell(self.revision)));
        }
        if let Some(problem) = &self.problem {
            lines.push(("PROBLEM", Cell::sentence(problem)));
        }
        let mut text = fields(&lines);
        text.push_str(&sheet(&self.previous));
        text
    }
}
