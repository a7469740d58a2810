//! Addresses that a pod's interface keeps over the pod's lives, on whichever node.

use std::net::IpAddr;

use berth_store::{Compare, Read, Revision, Store, Write};
use berth_types::{
    AddressRecord, PoolName, PoolRecord, Record as _, ReservationId, ReservationPolicy,
    ReservationRecord, keys,
};

use super::asking::{Asking, Extras, Given, Keep};
use crate::record::parse;
use crate::{Ipam, IpamError};

/// What a reservation keeps, as seen from the pool that the addresses are to be of.
#[derive(Default)]
struct Kept {
    /// The addresses that the pod is to have again.
    again: Vec<IpAddr>,
    /// What it takes to give up the others.
    given_up: Extras,
}

impl<S: Store> Ipam<S> {
    /// Gives a pod's interface the addresses that are kept for it, or keeps those it is given.
    pub(super) async fn allocate_sticky(
        &self,
        asking: &mut Asking<'_>,
        id: ReservationId,
    ) -> Result<Given, IpamError> {
        let key = keys::reservation(&id);
        let answer = self.store.read(&[Read::Get(key.into())]).await?;
        let found = parse::<ReservationRecord>(&answer, 0)?;
        let mut keep = Keep {
            id,
            revision: Revision::ABSENT,
            policy: ReservationPolicy::Sticky,
            addresses: Vec::new(),
            extras: Extras::default(),
        };
        let mut again = Vec::new();
        if let Some((revision, record)) = found {
            let pool = self.pool_of(asking, &record.pool).await?;
            let kept = self.kept_in(&keep.id, &record, pool.as_ref()).await?;
            again = kept.again;
            keep.revision = revision;
            keep.policy = record.policy;
            keep.addresses = record.addresses;
            keep.extras = kept.given_up;
        }
        asking.keep = Some(keep);
        if again.is_empty() {
            self.allocate_any(asking).await
        } else {
            self.allocate_fixed(asking, &again).await
        }
    }

    /// The pool that a reservation is of, which is then the one that is tried; `None` where the
    /// pod is to move to another.
    async fn pool_of(
        &self,
        asking: &mut Asking<'_>,
        reserved: &PoolName,
    ) -> Result<Option<PoolRecord>, IpamError> {
        let request = asking.request;
        let Some(listed) = request.pools.iter().find(|pool| *pool == reserved) else {
            return Ok(None);
        };
        let tried = std::mem::replace(&mut asking.pool, listed);
        match self.read_pool(asking).await {
            Ok((_, pool)) => Ok(Some(pool)),
            // It gives nothing any more: the next of the list does.
            Err(error) if error.is_about_pool() && tried != listed => {
                asking.pool = tried;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Which of a reservation's addresses the pod is to have again.
    ///
    /// Not those that its pool hands out no more, nor those that do not name it: they are not its.
    async fn kept_in(
        &self,
        id: &ReservationId,
        reservation: &ReservationRecord,
        pool: Option<&PoolRecord>,
    ) -> Result<Kept, IpamError> {
        let addresses = &reservation.addresses;
        let reads: Vec<_> = addresses
            .iter()
            .map(|address| Read::Get(keys::address(*address).into()))
            .collect();
        let answer = self.store.read(&reads).await?;
        let mut kept = Kept::default();
        for (n, address) in addresses.iter().enumerate() {
            let Some((revision, mut record)) = parse::<AddressRecord>(&answer, n)? else {
                continue;
            };
            if record.reserved_for.as_ref() != Some(id) {
                continue;
            }
            if pool.is_some_and(|pool| pool.is_usable(*address)) {
                kept.again.push(*address);
                continue;
            }
            let key = keys::address(*address);
            record.reserved_for = None;
            kept.given_up
                .compares
                .push(Compare::at(key.as_str(), revision));
            kept.given_up.writes.push(Write::put(key, record.encode()));
        }
        Ok(kept)
    }
}
