//! Reading what reservations are decided from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use berth_store::{Entry, KeyRange, Read, Revision, Store, StoreError};
use berth_types::{
    AddressRecord, BadRecord, ClosedRecord, PoolName, PoolRecord, Record, ReservationId,
    ReservationRecord, keys,
};

use super::ReserveError;
use crate::record::{decode, list, one};

/// A key's record with the revision that wrote it, or why it cannot be read.
pub type Seen<R> = (Revision, Result<R, BadRecord>);

/// Pools, reservations and addresses, all as of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Why nobody may allocate, when that is so.
    pub closed: Option<String>,
    /// Every pool.
    pub pools: BTreeMap<PoolName, Seen<PoolRecord>>,
    /// The pool and first address of every block that a node has claimed.
    pub claimed: BTreeSet<(PoolName, IpAddr)>,
    /// Every address that has a record.
    pub addresses: BTreeMap<IpAddr, Seen<AddressRecord>>,
    /// Every reservation.
    pub reservations: BTreeMap<ReservationId, Seen<ReservationRecord>>,
    /// Keys that spell no reservation.
    pub foreign: Vec<String>,
}

/// Reads all there is.
///
/// # Errors
/// [`StoreError`].
pub async fn look(store: &impl Store) -> Result<View, StoreError> {
    let prefixes = [
        keys::POOLS,
        keys::BLOCKS,
        keys::ADDRESSES,
        keys::RESERVATIONS,
    ];
    let mut reads: Vec<_> = prefixes
        .map(|prefix| Read::List(KeyRange::prefix(prefix)))
        .into();
    reads.push(Read::Get(keys::CLOSED.into()));
    let answer = store.read(&reads).await?;
    let mut view = View {
        closed: one(&answer, 4).map(closed),
        pools: by(list(&answer, 0), keys::parse_pool).collect(),
        addresses: by(list(&answer, 2), keys::parse_address).collect(),
        reservations: by(list(&answer, 3), keys::parse_reservation).collect(),
        ..View::default()
    };
    let blocks = list(&answer, 1).iter();
    view.claimed
        .extend(blocks.filter_map(|entry| keys::parse_block(&entry.key)));
    let named = list(&answer, 3).iter();
    let foreign = named.filter(|entry| keys::parse_reservation(&entry.key).is_none());
    view.foreign
        .extend(foreign.map(|entry| String::from_utf8_lossy(&entry.key).into_owned()));
    Ok(view)
}

fn closed(entry: &Entry) -> String {
    let record = decode::<ClosedRecord>(entry).map(|(_, record)| record.reason);
    record.unwrap_or_else(|bad| bad.to_string())
}

fn by<K, R: Record>(
    entries: &[Entry],
    name: fn(&[u8]) -> Option<K>,
) -> impl Iterator<Item = (K, Seen<R>)> {
    entries.iter().filter_map(move |entry| {
        let record = decode(entry).map(|(_, record)| record);
        Some((name(&entry.key)?, (entry.revision, record)))
    })
}

impl View {
    /// The addresses that name the reservation in their own record, in order, whether or not it
    /// lists them.
    pub fn marked_for(
        &self,
        id: &ReservationId,
    ) -> impl Iterator<Item = (IpAddr, Revision, &AddressRecord)> {
        self.addresses.iter().filter_map(move |(address, seen)| {
            let (revision, record) = (seen.0, seen.1.as_ref().ok()?);
            (record.reserved_for.as_ref() == Some(id)).then_some((*address, revision, record))
        })
    }

    /// The addresses that name a reservation which does not list them, in order.
    pub fn stale_marks(&self) -> impl Iterator<Item = (IpAddr, &ReservationId)> {
        let listed: BTreeSet<_> = self
            .reservations
            .iter()
            .filter_map(|(id, seen)| Some((id, seen.1.as_ref().ok()?)))
            .flat_map(|(id, record)| record.addresses.iter().map(move |a| (id, *a)))
            .collect();
        self.addresses.iter().filter_map(move |(address, seen)| {
            let id = seen.1.as_ref().ok()?.reserved_for.as_ref()?;
            // One that cannot be read may list it.
            let unreadable = self.reservations.get(id).is_some_and(|r| r.1.is_err());
            (!unreadable && !listed.contains(&(id, *address))).then_some((*address, id))
        })
    }

    /// Whether the reservation stands and lists the address.
    pub(super) fn lists(&self, id: &ReservationId, address: IpAddr) -> bool {
        self.reservations.get(id).is_some_and(|seen| {
            let record = seen.1.as_ref();
            record.map_or(true, |record| record.addresses.contains(&address))
        })
    }

    /// The reservation, when there is one.
    pub(super) fn reservation(
        &self,
        id: &ReservationId,
    ) -> Result<Option<(Revision, ReservationRecord)>, ReserveError> {
        let seen = self.reservations.get(id).cloned();
        let read = seen.map(|(revision, record)| record.map(|record| (revision, record)));
        Ok(read.transpose()?)
    }
}
