//! `cnictl ip history`: who had an address, newest first.

use std::io::Write;
use std::net::IpAddr;

use berth_ipam::history::{Change, End, History, Log, Span};
use berth_ipam::listing;
use berth_store::Store;
use berth_types::PodRef;
use jiff::Timestamp;
use serde::Serialize;

use super::table::pod_cell;
use crate::error::{Ended, Failure};
use crate::output::{Cell, Heading, Printer, Row, cell};

/// A holder of an address. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpanRow {
    /// `node/network/container/interface`
    pub(super) attachment: String,
    /// The pod, when the runtime named one.
    pub(super) pod: Option<PodRef>,
    /// From when.
    pub(super) since: Timestamp,
    /// Until when; null when it still has it, or when that is not known.
    pub(super) until: Option<Timestamp>,
    /// `still`, `ended` or `not-known`.
    pub(super) end: &'static str,
}

impl From<&Span> for SpanRow {
    fn from(span: &Span) -> Self {
        let Span {
            attachment,
            pod,
            since,
            end,
        } = span;
        let (until, end) = match end {
            End::Still => (None, "still"),
            End::At(until) => (Some(*until), "ended"),
            End::NotKnown => (None, "not-known"),
        };
        Self {
            attachment: attachment.to_string(),
            pod: pod.clone(),
            since: *since,
            until,
            end,
        }
    }
}

impl Row for SpanRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("SINCE (UTC)"),
        Heading::Text("UNTIL (UTC)"),
        Heading::Text("POD"),
        Heading::Text("HOLDER"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            attachment,
            pod,
            since,
            until,
            end,
        } = self;
        vec![
            cell(Some(*since)),
            until.map_or_else(|| cell(*end), |until| cell(Some(until))),
            pod_cell(pod.as_ref()),
            cell(attachment.as_str()),
        ]
    }
}

/// One change as a node wrote it down. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeRow {
    /// When, by the node's clock.
    at: Timestamp,
    /// What the node did.
    what: &'static str,
    /// The pool.
    pool: String,
    /// `node/network/container/interface`
    attachment: String,
    /// Which life of it.
    incarnation: String,
    /// The pod, when the runtime named one.
    pod: Option<PodRef>,
    /// The store's revision.
    revision: u64,
}

impl From<&Change> for ChangeRow {
    fn from(change: &Change) -> Self {
        let Change {
            v: _,
            at,
            address: _,
            pool,
            attachment,
            incarnation,
            pod,
            what,
            revision,
        } = change;
        Self {
            at: *at,
            what: what.as_str(),
            pool: pool.to_string(),
            attachment: attachment.to_string(),
            incarnation: incarnation.to_string(),
            pod: pod.clone(),
            revision: revision.0,
        }
    }
}

impl Row for ChangeRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("AT (UTC)"),
        Heading::Text("WHAT"),
        Heading::Text("POD"),
        Heading::Text("HOLDER"),
        Heading::Number("REVISION"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            cell(Some(self.at)),
            cell(self.what),
            pod_cell(self.pod.as_ref()),
            cell(self.attachment.as_str()),
            cell(self.revision),
        ]
    }
}

/// What the store remembers of an address: none for one without a record.
///
/// # Errors
/// [`Failure::Record`] for a record that cannot be read.
pub(super) async fn remembered(
    store: &impl Store,
    address: IpAddr,
) -> Result<Option<History>, Failure> {
    let Some(stored) = listing::address(store, address).await? else {
        return Ok(None);
    };
    Ok(Some(berth_ipam::history::spans(&stored.record?)))
}

/// `cnictl ip history`
pub(crate) async fn history(
    store: &impl Store,
    address: IpAddr,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let found = remembered(store, address).await?.unwrap_or_default();
    let rows: Vec<_> = found.spans.iter().map(SpanRow::from).collect();
    out.list(&rows, &format!("nobody is known to have held {address}"))?;
    if let Some(since) = found.known_since {
        out.remark(format_args!(
            "note: who held it before {since} is not remembered; \
             nodes' own logs may tell: `cnictl ip history {address} --node`"
        ))?;
    }
    Ok(Ended::Clean)
}

/// `cnictl ip history --node`: what this node did, which needs no store.
pub(crate) fn local(
    log: &Log,
    address: IpAddr,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let changes = changes(log, address)?;
    let rows: Vec<_> = changes.iter().map(ChangeRow::from).collect();
    let empty = format!("this node has no record of changes of {address}");
    out.list(&rows, &empty)?;
    Ok(Ended::Clean)
}

/// What the node's log says of an address, newest first.
pub(super) fn changes(log: &Log, address: IpAddr) -> Result<Vec<Change>, Failure> {
    let changes = log.changes(address).map_err(Failure::Log)?;
    changes.collect::<Result<_, _>>().map_err(Failure::Log)
}
