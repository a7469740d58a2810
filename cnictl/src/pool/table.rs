//! Pools for people: what stands in which column.

use super::diff::{patterns, sticky_words};
use super::row::{BlockRow, PoolRow, SubnetRow};
use crate::cli::values::show_seconds;
use crate::output::{Cell, Heading, Row, Sheet, cell, fields, sheet};

impl Row for PoolRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("POOL"),
        Heading::Text("STATE"),
        Heading::Number("SIZE (addresses)"),
        Heading::Number("HELD (addresses)"),
        Heading::Number("FREE (addresses)"),
        Heading::Number("CLAIMED (blocks)"),
        Heading::Text("SUBNETS"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let subnets: Vec<_> = self
            .subnets
            .iter()
            .map(|subnet| subnet.cidr.as_str())
            .collect();
        let claimed = u64::try_from(self.blocks.len()).ok();
        vec![
            cell(self.pool.as_str()),
            cell(self.state.as_str()),
            cell(self.size),
            cell(self.held),
            cell(self.free),
            cell(claimed.filter(|_| self.problem.is_none())),
            cell(subnets.join(",").as_str()),
        ]
    }
}

impl Row for SubnetRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("SUBNET"),
        Heading::Text("GATEWAY"),
        Heading::Text("RANGE"),
        Heading::Text("EXCLUDED"),
        Heading::Number("VLAN"),
        Heading::Number("SIZE (addresses)"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            cidr,
            gateway,
            range,
            exclude,
            vlan,
            routes: _,
            size,
        } = self;
        let exclude: Vec<_> = exclude.iter().map(ToString::to_string).collect();
        vec![
            cell(cidr.as_str()),
            gateway.map_or_else(|| cell(""), Cell::show),
            range.map_or_else(|| cell("all"), Cell::show),
            cell(exclude.join(",").as_str()),
            cell(vlan.map(u64::from)),
            cell(*size),
        ]
    }
}

impl Row for BlockRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("BLOCK"),
        Heading::Text("NODE"),
        Heading::Number("HELD (addresses)"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            first,
            last,
            node,
            held,
            problem,
        } = self;
        let block = last.map_or_else(|| first.clone(), |last| format!("{first}-{last}"));
        let node = if problem.is_some() {
            Some("unreadable")
        } else {
            node.as_deref()
        };
        vec![cell(block.as_str()), cell(node), cell(*held)]
    }
}

impl PoolRow {
    /// A cell of what is known only of a pool that can be read.
    fn known(&self, words: String) -> Cell {
        let words = Some(words).filter(|_| self.problem.is_none());
        cell(words.as_deref())
    }
}

impl Sheet for PoolRow {
    fn text(&self) -> String {
        let sticky = self.sticky.zip(self.sticky_for_s);
        let sticky = sticky.map(|(on, time)| sticky_words(on, time));
        let mut text = fields(&[
            ("POOL", cell(self.pool.as_str())),
            ("STATE", cell(self.state.as_str())),
            ("SIZE (addresses)", cell(self.size)),
            ("HELD (addresses)", cell(self.held)),
            ("FREE (addresses)", cell(self.free)),
            ("RESERVED (addresses)", cell(self.reserved)),
            ("EXCLUDED-IN-USE (addresses)", cell(self.excluded_in_use)),
            ("UNREADABLE (records)", cell(self.unreadable)),
            ("BLOCK SIZE (addresses)", cell(self.block_size)),
            ("NAMESPACES", self.known(patterns(&self.namespaces))),
            ("NODES", self.known(patterns(&self.nodes))),
            ("STICKY", cell(sticky.as_deref())),
            (
                "COOLDOWN",
                cell(self.cooldown_s.map(show_seconds).as_deref()),
            ),
            ("REVISION", cell(self.revision)),
        ]);
        text.push_str(&sheet(&self.subnets));
        text.push_str(&sheet(&self.blocks));
        text
    }
}
