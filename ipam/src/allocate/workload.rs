//! Addresses drawn from the set that is reserved for a workload.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Read, Revision, Store};
use berth_types::{
    AddressRecord, Family, Holder, NodeName, PoolName, ReservationId, ReservationRecord, keys,
};
use jiff::Timestamp;

use super::ATTEMPTS;
use super::asking::{Asking, Given};
use super::judge::{Judged, judge};
use crate::record::parse;
use crate::{Evidence, Ipam, IpamError, Lease, Request};

/// One address of the set, as it was seen.
pub(super) type Member = (IpAddr, Revision, AddressRecord);

impl<S: Store> Ipam<S> {
    /// Gives an address of each family that the workload's set has.
    ///
    /// # Errors
    /// [`IpamError::ReservationInUse`] where all of a family are held.
    pub(super) async fn allocate_reserved(
        &self,
        request: &Request,
        id: &ReservationId,
        evidence: &dyn Evidence,
        now: Timestamp,
    ) -> Result<Lease, IpamError> {
        // Addresses that may only be given after a look at the wire, which nobody here can take.
        let mut doubtful: BTreeMap<IpAddr, IpamError> = BTreeMap::new();
        for _ in 0..ATTEMPTS {
            let (pool, mut members) = self.members(request, id).await?;
            members.retain(|(address, _, _)| !doubtful.contains_key(address));
            let mut asking = Asking::new(request, &pool, evidence, now);
            let chosen = match choose(&members, request, &self.node.name, id) {
                Ok(chosen) => chosen,
                // The others of the set are held: what is wrong with this one is what helps.
                Err(in_use) => return Err(doubtful.into_values().next().unwrap_or(in_use)),
            };
            match self.allocate_fixed(&mut asking, &chosen).await {
                Ok(Given::Lease(lease)) => return Ok(*lease),
                Ok(Given::KeptFor(_) | Given::Stale) => {}
                // Another pod of the workload was faster.
                Err(IpamError::Held { .. }) if request.exact.is_empty() => {}
                Err(error @ IpamError::Doubtful { address }) if request.exact.is_empty() => {
                    doubtful.insert(address, error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(IpamError::Contended {
            pool: self.members(request, id).await?.0,
            attempts: ATTEMPTS,
        })
    }

    /// The set, and the pool it is of.
    async fn members(
        &self,
        request: &Request,
        id: &ReservationId,
    ) -> Result<(PoolName, Vec<Member>), IpamError> {
        let key = keys::reservation(id);
        let answer = self.store.read(&[Read::Get(key.into())]).await?;
        let found = parse::<ReservationRecord>(&answer, 0)?;
        let (_, record) = found.ok_or_else(|| IpamError::NoSuchReservation(id.clone()))?;
        let pool = record.pool;
        if !request.pools.is_empty() && !request.pools.contains(&pool) {
            let id = id.clone();
            return Err(IpamError::ReservationElsewhere { id, pool });
        }
        let mut members = Vec::new();
        for some in record.addresses.chunks(super::look::BLOCKS_PER_READ) {
            let reads: Vec<_> = some
                .iter()
                .map(|address| Read::Get(keys::address(*address).into()))
                .collect();
            let answer = self.store.read(&reads).await?;
            for (n, address) in some.iter().enumerate() {
                if let Some((revision, record)) = parse::<AddressRecord>(&answer, n)? {
                    members.push((*address, revision, record));
                }
            }
        }
        Ok((pool, members))
    }
}

/// Chooses the addresses of the set to ask for, one of each family: those asked for by name, and
/// the best of each family that was not. Pure.
///
/// What the attachment has already; then the free one that was given up longest ago; then what an
/// earlier sandbox of the same pod has; then what is doubtful.
pub(super) fn choose(
    members: &[Member],
    request: &Request,
    node: &NodeName,
    id: &ReservationId,
) -> Result<Vec<IpAddr>, IpamError> {
    let ours: Vec<_> = members
        .iter()
        .filter(|(_, _, record)| record.reserved_for.as_ref() == Some(id))
        .collect();
    if !request.exact.is_empty() {
        let inside = |address: &IpAddr| ours.iter().any(|(member, _, _)| member == address);
        if let Some(outside) = request.exact.iter().find(|address| !inside(address)) {
            return Err(not_in_set(*outside, id));
        }
    }
    let mut chosen = request.exact.clone();
    for family in [Family::V4, Family::V6] {
        if chosen.iter().any(|address| Family::of(*address) == family) {
            continue;
        }
        let of_family = || ours.iter().filter(|(a, _, _)| Family::of(*a) == family);
        let rank = |record: &AddressRecord| {
            let holder = record.holder.as_ref();
            if holder.is_some_and(|h| h.attachment == request.attachment) {
                return Some(0);
            }
            match judge(record, request, node, Some(id)) {
                Judged::Free => Some(1),
                Judged::EarlierSandbox(_) => Some(2),
                Judged::Doubtful => Some(3),
                Judged::NotProvenGone(_) | Judged::Held(_) | Judged::Reserved(_) => None,
            }
        };
        let best = of_family()
            .filter_map(|(address, revision, record)| Some((rank(record)?, *revision, *address)))
            .min();
        match best {
            Some((_, _, address)) => chosen.push(address),
            None if of_family().next().is_some() => return Err(in_use(&ours, id)),
            None => {}
        }
    }
    if chosen.is_empty() {
        return Err(in_use(&ours, id));
    }
    Ok(chosen)
}

fn in_use(ours: &[&Member], id: &ReservationId) -> IpamError {
    let held = ours
        .iter()
        .filter_map(|(address, _, record)| Some((*address, record.holder.as_ref()?)));
    let oldest = held.min_by_key(|(_, holder): &(IpAddr, &Holder)| holder.since);
    let Some((address, holder)) = oldest else {
        return IpamError::NoSuchReservation(id.clone());
    };
    IpamError::ReservationInUse {
        id: id.clone(),
        count: ours.len(),
        address,
        holder: Box::new(holder.clone()),
    }
}

fn not_in_set(address: IpAddr, id: &ReservationId) -> IpamError {
    IpamError::NotInReservation {
        address,
        id: id.clone(),
    }
}
