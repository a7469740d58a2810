//! Deciding which addresses are kept. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;

use berth_store::Revision;
use berth_types::{
    AddressRecord, Family, PoolName, PoolRecord, PoolState, ReservationId, ReservationRecord,
};

use super::choose::Place;
use super::view::View;
use super::{IfHeld, ReserveError};

/// How many addresses one reservation may have.
const MOST: usize = 4096;

/// Which addresses an operator wants to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// For whom.
    pub id: ReservationId,
    /// Which.
    pub ask: Ask,
    /// What to do about those that are held.
    pub if_held: IfHeld,
}

/// Which addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// So many of each of the pool's families that nobody has.
    Each(NonZeroU32),
    /// These.
    These(BTreeSet<IpAddr>),
}

/// What is to be kept, with everything that rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// For whom.
    pub id: ReservationId,
    /// The pool they are from.
    pub pool: PoolName,
    /// The addresses that it does not have yet, in the order they were chosen.
    pub add: Vec<Addition>,
    pub(super) pool_at: Revision,
    pub(super) before: Option<(Revision, ReservationRecord)>,
}

/// An address that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The address.
    pub address: IpAddr,
    /// When its record was written; absent for one that nobody ever held.
    pub revision: Revision,
    /// What it says.
    pub record: AddressRecord,
}

/// Decides what a new reservation of `pool` keeps. Pure.
///
/// # Errors
/// [`ReserveError`].
pub fn plan_create(view: &View, pool: &PoolName, order: &Order) -> Result<Growth, ReserveError> {
    if let Some((_, record)) = view.reservation(&order.id)? {
        return Err(ReserveError::Exists {
            id: order.id.clone(),
            count: record.addresses.len(),
            pool: record.pool,
        });
    }
    plan(view, pool, None, order, &[])
}

/// Decides what a reservation keeps beside what it has. Pure.
///
/// # Errors
/// [`ReserveError`].
pub fn plan_extend(view: &View, order: &Order) -> Result<Growth, ReserveError> {
    plan_rest(view, order, &[])
}

pub(super) fn plan_rest(
    view: &View,
    order: &Order,
    done: &[IpAddr],
) -> Result<Growth, ReserveError> {
    let found = view.reservation(&order.id)?;
    let before = found.ok_or_else(|| ReserveError::NoSuchReservation(order.id.clone()))?;
    let pool = before.1.pool.clone();
    plan(view, &pool, Some(before), order, done)
}

fn plan(
    view: &View,
    name: &PoolName,
    before: Option<(Revision, ReservationRecord)>,
    order: &Order,
    done: &[IpAddr],
) -> Result<Growth, ReserveError> {
    let Order { id, ask, if_held } = order;
    let (pool_at, pool) = admit(view, name, id)?;
    let place = Place {
        view,
        pool: name,
        record: pool,
        id,
    };
    let chosen = match ask {
        Ask::Each(count) => place.enough(*count, done)?,
        Ask::These(addresses) => addresses.iter().copied().collect(),
    };
    let has = before.as_ref().map_or(&[][..], |(_, r)| &r.addresses);
    let missing = chosen.into_iter().filter(|address| !has.contains(address));
    let add: Result<Vec<_>, _> = missing.map(|a| place.addition(a, *if_held)).collect();
    let add = add?;
    let count = has.len() + add.len();
    if count > MOST {
        return Err(ReserveError::TooMany {
            id: id.clone(),
            count,
            most: MOST,
        });
    }
    Ok(Growth {
        id: id.clone(),
        pool: name.clone(),
        add,
        pool_at,
        before,
    })
}

/// The pool, when the reservation may have addresses of it.
fn admit<'a>(
    view: &'a View,
    name: &PoolName,
    id: &ReservationId,
) -> Result<(Revision, &'a PoolRecord), ReserveError> {
    let ReservationId::Workload { namespace, .. } = id else {
        return Err(ReserveError::NotWorkload(id.clone()));
    };
    if let Some(reason) = &view.closed {
        return Err(ReserveError::Closed(reason.clone()));
    }
    let seen = view.pools.get(name);
    let (at, pool) = seen.ok_or_else(|| ReserveError::NoSuchPool(name.clone()))?;
    let pool = pool.as_ref().map_err(Clone::clone)?;
    if pool.state == PoolState::Draining {
        return Err(ReserveError::Draining(name.clone()));
    }
    if !pool.admits_namespace(Some(namespace.as_str())) {
        return Err(ReserveError::NotAdmitted {
            pool: name.clone(),
            namespace: namespace.to_string(),
        });
    }
    Ok((*at, pool))
}

impl Place<'_> {
    /// As many of each family as are missing beside those `done`.
    fn enough(&self, count: NonZeroU32, done: &[IpAddr]) -> Result<Vec<IpAddr>, ReserveError> {
        let count = usize::try_from(count.get()).unwrap_or(usize::MAX);
        if count > MOST {
            return Err(ReserveError::TooMany {
                id: self.id.clone(),
                count,
                most: MOST,
            });
        }
        let mut chosen = Vec::new();
        for family in self.record.families() {
            let of_family = |address: &&IpAddr| Family::of(**address) == family;
            let wanted = count.saturating_sub(done.iter().filter(of_family).count());
            let found = self.choose(family, wanted);
            if found.len() < wanted {
                return Err(ReserveError::NotEnough {
                    pool: self.pool.clone(),
                    family,
                    wanted,
                    free: found.len(),
                });
            }
            chosen.extend(found);
        }
        Ok(chosen)
    }

    /// The address as it is, when it can be kept.
    fn addition(&self, address: IpAddr, if_held: IfHeld) -> Result<Addition, ReserveError> {
        if !self.record.is_usable(address) {
            return Err(ReserveError::NotInPool {
                address,
                pool: self.pool.clone(),
            });
        }
        let Some((revision, record)) = self.view.addresses.get(&address) else {
            return Ok(Addition {
                address,
                revision: Revision::ABSENT,
                record: AddressRecord::unused(self.pool.clone()),
            });
        };
        let record = record.as_ref().map_err(Clone::clone)?.clone();
        match (&record.reserved_for, &record.holder) {
            (Some(other), _) if other != self.id => {
                let reserved_for = other.clone();
                return Err(if self.view.lists(other, address) {
                    ReserveError::Reserved {
                        address,
                        reserved_for,
                    }
                } else {
                    ReserveError::Stale {
                        address,
                        reserved_for,
                    }
                });
            }
            (_, Some(holder)) if if_held == IfHeld::Refuse => {
                let holder = Box::new(holder.clone());
                return Err(ReserveError::Held { address, holder });
            }
            _ => {}
        }
        Ok(Addition {
            address,
            revision: *revision,
            record,
        })
    }
}
