//! An address as it is printed. Pure.

use std::net::IpAddr;

use berth_types::{AddressRecord, Holder, PodRef, Previous};
use jiff::Timestamp;
use serde::Serialize;

use super::state::State;
use crate::observe::{Found, Snapshot};
use crate::pool::unreadable;

/// An address: a row of `ip list`, the sheet of `ip show`. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressRow {
    /// The address, or the key's text when that spells none.
    pub(crate) address: String,
    /// The pool of its record; without one, the pool whose subnet contains it.
    pub(crate) pool: Option<String>,
    /// What is the case with it.
    pub(crate) state: State,
    /// Who holds it.
    pub(crate) holder: Option<HolderRow>,
    /// The reservation it is kept for.
    pub(crate) reserved_for: Option<String>,
    /// Whether its last holder was not proven gone by that holder's own node.
    pub(crate) unproven: bool,
    /// When it was last given up.
    pub(crate) released_at: Option<Timestamp>,
    /// Who held it before, newest first.
    pub(crate) previous: Vec<PreviousRow>,
    /// The store's revision that wrote its record.
    pub(crate) revision: Option<u64>,
    /// Why its record cannot be read.
    pub(crate) problem: Option<String>,
}

/// Who holds an address. Stable JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HolderRow {
    /// `node/network/container/interface`
    pub(crate) attachment: String,
    /// The node.
    pub(crate) node: String,
    /// The network's name.
    pub(crate) network: String,
    /// The container (for Kubernetes: the pod's sandbox).
    pub(crate) container: String,
    /// The interface in the container.
    pub(crate) interface: String,
    /// The ADD that took it.
    pub(crate) incarnation: String,
    /// The pod, when the runtime named one.
    pub(crate) pod: Option<PodRef>,
    /// The hardware address.
    pub(crate) mac: String,
    /// Since when.
    pub(crate) since: Timestamp,
}

/// Who held an address before. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PreviousRow {
    /// `node/network/container/interface`
    pub(crate) attachment: String,
    /// The pod, when the runtime named one.
    pub(crate) pod: Option<PodRef>,
    /// From when.
    pub(crate) since: Timestamp,
    /// Until when.
    pub(crate) until: Timestamp,
}

impl From<&Holder> for HolderRow {
    fn from(holder: &Holder) -> Self {
        let Holder {
            attachment,
            incarnation,
            pod,
            mac,
            since,
        } = holder;
        Self {
            attachment: attachment.to_string(),
            node: attachment.node.to_string(),
            network: attachment.network.to_string(),
            container: attachment.container.to_string(),
            interface: attachment.ifname.to_string(),
            incarnation: incarnation.to_string(),
            pod: pod.clone(),
            mac: mac.to_string(),
            since: *since,
        }
    }
}

impl From<&Previous> for PreviousRow {
    fn from(previous: &Previous) -> Self {
        let Previous {
            attachment,
            pod,
            since,
            until,
        } = previous;
        Self {
            attachment: attachment.to_string(),
            pod: pod.clone(),
            since: *since,
            until: *until,
        }
    }
}

/// Every address of the snapshot that has a record.
pub(crate) fn rows(seen: &Snapshot) -> Vec<AddressRow> {
    seen.addresses
        .iter()
        .map(|found| recorded(seen, found))
        .collect()
}

/// One address, whether or not it has a record.
pub(crate) fn row(seen: &Snapshot, address: IpAddr) -> AddressRow {
    if let Some(found) = seen.addresses.first() {
        return recorded(seen, found);
    }
    let (pool, state) = match seen.pool_around(address) {
        Some((name, pool)) if pool.is_usable(address) => (Some(name), State::Unused),
        Some((name, _)) => (Some(name), State::Unusable),
        None => (None, State::Outside),
    };
    AddressRow {
        pool: pool.map(str::to_owned),
        ..blank(address.to_string(), state)
    }
}

fn recorded(seen: &Snapshot, found: &Found<AddressRecord>) -> AddressRow {
    let address = found.address();
    let text = address.map_or_else(|| found.name.clone(), |address| address.to_string());
    let revision = Some(found.revision.0);
    match (&found.record, address) {
        (Ok(record), Some(address)) => {
            let pool = seen
                .pool(&record.pool)
                .and_then(|pool| pool.record.as_ref().ok());
            let state = State::of(record, pool, address);
            AddressRow {
                pool: Some(record.pool.to_string()),
                holder: record.holder.as_ref().map(HolderRow::from),
                reserved_for: record.reserved_for.as_ref().map(ToString::to_string),
                unproven: record.unproven,
                released_at: record.released_at,
                previous: record.previous.iter().map(PreviousRow::from).collect(),
                revision,
                ..blank(text, state)
            }
        }
        (Ok(_), None) => {
            let problem = Some(format!("{text}: the key spells no address"));
            AddressRow {
                revision,
                problem,
                ..blank(text, State::Malformed)
            }
        }
        (Err(bad), _) => {
            let around = address.and_then(|address| seen.pool_around(address));
            let state = if unreadable(bad) == "newer" {
                State::Newer
            } else {
                State::Malformed
            };
            AddressRow {
                pool: around.map(|(name, _)| name.to_owned()),
                revision,
                problem: Some(bad.to_string()),
                ..blank(text, state)
            }
        }
    }
}

const fn blank(address: String, state: State) -> AddressRow {
    AddressRow {
        address,
        pool: None,
        state,
        holder: None,
        reserved_for: None,
        unproven: false,
        released_at: None,
        previous: Vec::new(),
        revision: None,
        problem: None,
    }
}
