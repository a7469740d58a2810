//! A reservation as it is printed. Pure.

use std::net::IpAddr;

use berth_ipam::reservations::{Removal, Seen, View};
use berth_types::{
    AddressRange, AddressRecord, ReservationId, ReservationPolicy, ReservationRecord, number,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::address::{HolderRow, State};
use crate::pool::unreadable;

/// A reservation: a row of `reserve list`, the sheet of `reserve show`. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationRow {
    /// `NAMESPACE/workload/NAME` or `NAMESPACE/pod/POD/INTERFACE`
    pub(crate) reservation: String,
    /// Its Kubernetes namespace.
    pub(crate) namespace: String,
    /// `workload` or `pod`.
    pub(crate) kind: &'static str,
    /// `kept`, `sticky`, `malformed`, or `newer` (written by a later release).
    pub(crate) policy: &'static str,
    /// Where its addresses are from.
    pub(crate) pool: Option<String>,
    /// Its addresses, in order.
    pub(crate) addresses: Vec<ReservedRow>,
    /// How many of them are held.
    pub(crate) held: Option<u64>,
    /// When it was made.
    pub(crate) since: Option<Timestamp>,
    /// Since when none of them is held: when the last was released, or when it was made.
    pub(crate) unused_since: Option<Timestamp>,
    /// The store's revision that wrote it last.
    pub(crate) revision: u64,
    /// Why it cannot be read.
    pub(crate) problem: Option<String>,
}

/// An address of a reservation. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservedRow {
    /// The address.
    pub(crate) address: IpAddr,
    /// As `ip show` has it; `lost` when its own record does not name the reservation.
    pub(crate) state: &'static str,
    /// Who holds it.
    pub(crate) holder: Option<HolderRow>,
    /// When it was last given up.
    pub(crate) released_at: Option<Timestamp>,
}

/// What became of a reservation. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeletedRow {
    /// Which.
    pub(super) reservation: String,
    /// `deleted` or `would-delete`.
    pub(super) outcome: &'static str,
    /// The addresses it let go.
    pub(super) addresses: Vec<ReservedRow>,
}

/// Every reservation.
pub(super) fn rows(view: &View) -> Vec<ReservationRow> {
    let all = view.reservations.iter();
    all.map(|(id, seen)| row(view, id, seen)).collect()
}

/// One reservation.
pub(super) fn row(
    view: &View,
    id: &ReservationId,
    (revision, record): &Seen<ReservationRecord>,
) -> ReservationRow {
    let (namespace, kind) = match id {
        ReservationId::Workload { namespace, .. } => (namespace, "workload"),
        ReservationId::Pod { namespace, .. } => (namespace, "pod"),
    };
    let blank = ReservationRow {
        reservation: id.to_string(),
        namespace: namespace.to_string(),
        kind,
        policy: "",
        pool: None,
        addresses: Vec::new(),
        held: None,
        since: None,
        unused_since: None,
        revision: revision.0,
        problem: None,
    };
    let ReservationRecord {
        v: _,
        pool,
        addresses,
        policy,
        since,
    } = match record {
        Ok(record) => record,
        Err(bad) => {
            return ReservationRow {
                policy: unreadable(bad),
                problem: Some(bad.to_string()),
                ..blank
            };
        }
    };
    let mut addresses: Vec<_> = addresses.iter().map(|a| reserved(view, id, *a)).collect();
    addresses.sort_by_key(|row| row.address);
    let held = addresses.iter().filter(|row| row.holder.is_some()).count();
    let released = addresses.iter().filter_map(|row| row.released_at).max();
    ReservationRow {
        policy: match policy {
            ReservationPolicy::Kept => "kept",
            ReservationPolicy::Sticky => "sticky",
        },
        pool: Some(pool.to_string()),
        addresses,
        held: u64::try_from(held).ok(),
        since: Some(*since),
        unused_since: (held == 0).then(|| released.unwrap_or(*since)),
        ..blank
    }
}

fn reserved(view: &View, id: &ReservationId, address: IpAddr) -> ReservedRow {
    let lost = ReservedRow {
        address,
        state: "lost",
        holder: None,
        released_at: None,
    };
    match view.addresses.get(&address) {
        Some((_, Err(bad))) => ReservedRow {
            state: unreadable(bad),
            ..lost
        },
        Some((_, Ok(record))) if record.reserved_for.as_ref() == Some(id) => {
            marked(view, address, record)
        }
        _ => lost,
    }
}

fn marked(view: &View, address: IpAddr, record: &AddressRecord) -> ReservedRow {
    let pool = view.pools.get(&record.pool);
    let pool = pool.and_then(|(_, pool)| pool.as_ref().ok());
    ReservedRow {
        address,
        state: State::of(record, pool, address).word(),
        holder: record.holder.as_ref().map(HolderRow::from),
        released_at: record.released_at,
    }
}

/// The addresses that a deletion lets go.
pub(super) fn removed(view: &View, removal: &Removal) -> Vec<ReservedRow> {
    let all = removal.marked.iter();
    all.map(|(address, record)| marked(view, *address, record))
        .collect()
}

/// The same addresses as runs. `addresses` are in order.
pub(super) fn ranges(addresses: &[IpAddr]) -> Vec<AddressRange> {
    let mut runs: Vec<AddressRange> = Vec::new();
    for address in addresses {
        let longer = runs.last().and_then(|run| {
            let next = number(run.last()).checked_add(1) == Some(number(*address));
            AddressRange::new(run.first(), *address).filter(|_| next)
        });
        match (longer, runs.last_mut()) {
            (Some(longer), Some(run)) => *run = longer,
            _ => runs.extend(AddressRange::new(*address, *address)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_follow_each_other_are_one_run() {
        let raw = [
            "10.0.0.1",
            "10.0.0.2",
            "10.0.0.4",
            "2001:db8::1",
            "2001:db8::2",
        ];
        let addresses = raw.map(|raw| raw.parse::<IpAddr>().unwrap());
        let runs: Vec<_> = ranges(&addresses).iter().map(ToString::to_string).collect();
        assert_eq!(
            runs,
            ["10.0.0.1-10.0.0.2", "10.0.0.4", "2001:db8::1-2001:db8::2"]
        );
        assert!(ranges(&[]).is_empty());
    }
}
