//! Keeping addresses: a new reservation, or more of one.

use std::net::IpAddr;

use berth_store::{Compare, Outcome, Revision, Store, Txn, Write};
use berth_types::{
    AddressRecord, PoolName, Record as _, ReservationId, ReservationPolicy, ReservationRecord,
    SchemaVersion, keys,
};
use jiff::Timestamp;

use super::ReserveError;
use super::plan::{Addition, Growth, Order, plan_create, plan_rest};
use super::view::look;

/// How many addresses one transaction keeps; etcd allows 128 operations.
const PER_TXN: usize = 100;

/// How often it is decided anew when what it rests on changes under it.
const ATTEMPTS: u32 = 8;

/// Makes a reservation of `pool`, and answers its addresses.
///
/// # Errors
/// [`ReserveError`]; then nothing was kept, unless it is [`ReserveError::Partly`].
pub async fn create(
    store: &impl Store,
    pool: &PoolName,
    order: &Order,
    now: Timestamp,
) -> Result<Vec<IpAddr>, ReserveError> {
    grow(store, Some(pool), order, now).await
}

/// Adds to a reservation, and answers the addresses it got.
///
/// # Errors
/// As [`create`].
pub async fn extend(
    store: &impl Store,
    order: &Order,
    now: Timestamp,
) -> Result<Vec<IpAddr>, ReserveError> {
    grow(store, None, order, now).await
}

async fn grow(
    store: &impl Store,
    pool: Option<&PoolName>,
    order: &Order,
    now: Timestamp,
) -> Result<Vec<IpAddr>, ReserveError> {
    let mut done = Vec::new();
    for _ in 0..ATTEMPTS {
        match attempt(store, pool, order, now, &mut done).await {
            Ok(true) => return Ok(done),
            Ok(false) => {}
            Err(cause) if done.is_empty() => return Err(cause),
            Err(cause) => {
                return Err(ReserveError::Partly {
                    done: done.len(),
                    cause: Box::new(cause),
                });
            }
        }
    }
    Err(ReserveError::Contended(ATTEMPTS))
}

/// Looks once and keeps what is missing; `false` when some of it changed meanwhile.
async fn attempt(
    store: &impl Store,
    pool: Option<&PoolName>,
    order: &Order,
    now: Timestamp,
    done: &mut Vec<IpAddr>,
) -> Result<bool, ReserveError> {
    let view = look(store).await?;
    let growth = match pool {
        Some(pool) if done.is_empty() => plan_create(&view, pool, order)?,
        _ => plan_rest(&view, order, done)?,
    };
    let Growth {
        id,
        pool,
        add,
        pool_at,
        before,
    } = growth;
    let (mut at, mut record) = before.unwrap_or_else(|| (Revision::ABSENT, fresh(pool, now)));
    for some in add.chunks(PER_TXN) {
        let added = some.iter().map(|addition| addition.address);
        record.addresses.extend(added.clone());
        record.addresses.sort_unstable();
        let txn = keep(&id, at, &record, pool_at, some);
        match store.commit(&txn).await? {
            Outcome::Committed(revision) => at = revision,
            Outcome::Refused(_) => return Ok(false),
        }
        done.extend(added);
    }
    Ok(true)
}

const fn fresh(pool: PoolName, now: Timestamp) -> ReservationRecord {
    ReservationRecord {
        v: SchemaVersion,
        pool,
        addresses: Vec::new(),
        policy: ReservationPolicy::Kept,
        since: now,
    }
}

/// Writes the reservation as it is with `some` more, and its name into their records.
fn keep(
    id: &ReservationId,
    at: Revision,
    record: &ReservationRecord,
    pool_at: Revision,
    some: &[Addition],
) -> Txn {
    let key = keys::reservation(id);
    let mut compares = vec![
        Compare::absent(keys::CLOSED),
        Compare::at(keys::pool(&record.pool), pool_at),
        Compare::at(key.as_str(), at),
    ];
    let mut writes = vec![Write::put(key, record.encode())];
    for Addition {
        address,
        revision,
        record,
    } in some
    {
        let key = keys::address(*address);
        let marked = AddressRecord {
            reserved_for: Some(id.clone()),
            ..record.clone()
        };
        compares.push(Compare::at(key.as_str(), *revision));
        writes.push(Write::put(key, marked.encode()));
    }
    Txn {
        compares,
        writes,
        otherwise: Vec::new(),
    }
}
