//! Reservations for people: what stands in which column.

use std::net::IpAddr;

use super::row::{ReservationRow, ReservedRow, ranges};
use crate::address::pod_cell;
use crate::output::{Cell, Heading, Row, Sheet, cell, fields, sheet};

impl Row for ReservationRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("RESERVATION"),
        Heading::Text("KIND"),
        Heading::Text("POLICY"),
        Heading::Text("POOL"),
        Heading::Number("SIZE (addresses)"),
        Heading::Number("HELD (addresses)"),
        Heading::Text("UNUSED SINCE (UTC)"),
        Heading::Text("ADDRESSES"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            cell(self.reservation.as_str()),
            cell(self.kind),
            cell(self.policy),
            cell(self.pool.as_deref()),
            cell(self.size()),
            cell(self.held),
            cell(self.unused_since),
            cell(self.runs().as_str()),
        ]
    }
}

impl ReservationRow {
    fn size(&self) -> Option<u64> {
        let count = u64::try_from(self.addresses.len()).ok();
        count.filter(|_| self.problem.is_none())
    }

    fn runs(&self) -> String {
        let addresses: Vec<IpAddr> = self.addresses.iter().map(|row| row.address).collect();
        let runs: Vec<_> = ranges(&addresses).iter().map(ToString::to_string).collect();
        runs.join(",")
    }
}

impl Row for ReservedRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("ADDRESS"),
        Heading::Text("STATE"),
        Heading::Text("NODE"),
        Heading::Text("POD"),
        Heading::Text("HOLDER"),
        Heading::Text("SINCE (UTC)"),
        Heading::Text("RELEASED (UTC)"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            address,
            state,
            holder,
            released_at,
        } = self;
        let holder = holder.as_ref();
        vec![
            Cell::show(address),
            cell(*state),
            cell(holder.map(|holder| holder.node.as_str())),
            pod_cell(holder.and_then(|holder| holder.pod.as_ref())),
            cell(holder.map(|holder| holder.attachment.as_str())),
            cell(holder.map(|holder| holder.since)),
            cell(*released_at),
        ]
    }
}

impl Sheet for ReservationRow {
    fn text(&self) -> String {
        let mut lines = vec![
            ("RESERVATION", cell(self.reservation.as_str())),
            ("KIND", cell(self.kind)),
            ("POLICY", cell(self.policy)),
            ("POOL", cell(self.pool.as_deref())),
            ("SIZE (addresses)", cell(self.size())),
            ("HELD (addresses)", cell(self.held)),
            ("MADE (UTC)", cell(self.since)),
            ("UNUSED SINCE (UTC)", cell(self.unused_since)),
            ("REVISION", cell(self.revision)),
        ];
        if let Some(problem) = &self.problem {
            lines.push(("PROBLEM", Cell::sentence(problem)));
        }
        let mut text = fields(&lines);
        text.push_str(&sheet(&self.addresses));
        text
    }
}
