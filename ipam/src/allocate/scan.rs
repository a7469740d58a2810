//! A look through a whole pool, down to its last address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Compare, KeyRange, Read, Revision, Store, Txn, Write};
use berth_types::{
    AddressRecord, Block, Family, PoolRecord, Record as _, ReservationId, ReservationPolicy,
    ReservationRecord, Subnet, keys,
};
use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::asking::Asking;
use super::attempt::Attempt;
use super::look::{BLOCKS_PER_READ, blocks_of, rotated};
use super::txn::Ground;
use crate::clock::uptime_ms;
use crate::hint::{Hint, Pick};
use crate::record::{decode, parse};
use crate::{Ipam, IpamError, PoolCount, Probing};

/// Among how many free addresses one is chosen.
const CHOOSE_AMONG: usize = 4096;

/// Every address of a pool that has a record; `None` for one that cannot be read.
pub(super) type KnownAddresses = BTreeMap<IpAddr, (Revision, Option<AddressRecord>)>;

/// An address that can be had, and at what price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody has had it for a while.
    Rested(IpAddr),
    /// It was given up a moment ago.
    Resting(IpAddr),
    /// It is kept for a pod that has not used it for as long as the pool keeps it.
    Forsaken(IpAddr, ReservationId),
    /// It was taken from a holder that was not heard, or heard on the wire: whoever gets it has to
    /// ask there first.
    Unproven(IpAddr),
}

/// A pool as it was seen.
pub(super) struct Scan<'a> {
    pub(super) pool: &'a PoolRecord,
    pub(super) known: &'a KnownAddresses,
    pub(super) family: Family,
}

impl Scan<'_> {
    /// The best address that can be had. Pure.
    ///
    /// Never used and rested ones first, from a place that `seed` gives, so that nodes do not race
    /// for the same; then what was given up longest ago, then what is kept but forsaken for
    /// longest, then what is unproven for longest, then what is both.
    pub(super) fn best(&self, asking: &Asking<'_>, seed: u64) -> Option<Found> {
        let rested: Vec<_> = self.rested(asking).take(CHOOSE_AMONG).collect();
        if let Some(address) = rotated(&rested, seed).next() {
            return Some(Found::Rested(*address));
        }
        let resting = self.oldest(asking, |record| is_free(record).then_some(()));
        let resting = resting.map(|(address, ())| Found::Resting(address));
        let forsaken = |unproven: bool| {
            let found = self.oldest(asking, |record| {
                let id = self.forsaken(record, asking.now)?;
                (record.unproven == unproven).then_some(id)
            });
            found.map(|(address, id)| Found::Forsaken(address, id))
        };
        let unproven = || {
            let found = self.oldest(asking, |record| {
                let doubtful = record.unproven && record.reserved_for.is_none();
                (doubtful && record.holder.is_none()).then_some(())
            });
            found.map(|(address, ())| Found::Unproven(address))
        };
        let found = resting.or_else(|| forsaken(false));
        if asking.evidence.probing() == Probing::Nothing {
            return found;
        }
        // Once it is given up, what is left is an unproven one.
        found.or_else(unproven).or_else(|| forsaken(true))
    }

    /// How the pool stands.
    pub(super) fn count(&self, asking: &Asking<'_>) -> PoolCount {
        let subnets = self.pool.subnets.iter();
        let size = subnets
            .filter(|subnet| Family::of(subnet.cidr.ip()) == self.family)
            .fold(0_u64, |sum, subnet| sum.saturating_add(subnet.size()));
        let count = |of: &dyn Fn(&AddressRecord) -> bool| {
            let records = self
                .known
                .iter()
                .filter(|(address, _)| self.is_ours(**address));
            // What cannot be read counts as held.
            let of = |record: &Option<AddressRecord>| record.as_ref().is_none_or(of);
            let found = records.filter(|(_, (_, record))| of(record)).count();
            u64::try_from(found).unwrap_or(u64::MAX)
        };
        let unreadable = count(&|_| false);
        PoolCount {
            pool: asking.pool.clone(),
            family: (self.pool.families().len() > 1).then_some(self.family),
            size,
            held: count(&|record| record.holder.is_some()),
            reserved: count(&|r| r.holder.is_none() && r.reserved_for.is_some()) - unreadable,
            unproven: count(&|r| r.holder.is_none() && r.unproven) - unreadable,
        }
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family && self.pool.is_usable(address)
    }

    fn rested(&self, asking: &Asking<'_>) -> impl Iterator<Item = IpAddr> {
        let cooldown = SignedDuration::from_secs(self.pool.cooldown_s.into());
        let now = asking.now;
        let rested = move |record: &AddressRecord| {
            is_free(record)
                && record
                    .released_at
                    .is_none_or(|at| now.duration_since(at) >= cooldown)
        };
        let can = move |address: &IpAddr| match self.known.get(address) {
            None => true,
            Some((_, record)) => record.as_ref().is_some_and(rested),
        };
        let usable = blocks_of(self.pool, self.family)
            .flat_map(Block::addresses)
            .filter(|address| self.pool.is_usable(*address));
        usable
            .filter(can)
            .filter(|address| !asking.avoid.contains(address))
    }

    /// Of the addresses of which `test` says something, the one whose record is the oldest.
    fn oldest<T>(
        &self,
        asking: &Asking<'_>,
        test: impl Fn(&AddressRecord) -> Option<T>,
    ) -> Option<(IpAddr, T)> {
        let records = self.known.iter();
        let can = records
            .filter(|(address, _)| self.is_ours(**address) && !asking.avoid.contains(*address))
            .filter_map(|(address, (revision, record))| {
                Some((*revision, *address, test(record.as_ref()?)?))
            });
        let oldest = can.min_by_key(|(revision, address, _)| (*revision, *address));
        oldest.map(|(_, address, what)| (address, what))
    }

    /// The reservation of a pod that gave the address up longer ago than the pool keeps it.
    fn forsaken(&self, record: &AddressRecord, now: Timestamp) -> Option<ReservationId> {
        let kept_for = SignedDuration::from_secs(self.pool.sticky_for_s.into());
        let id = record.reserved_for.clone()?;
        let sticky = matches!(id, ReservationId::Pod { .. }) && self.pool.sticky_for_s > 0;
        let unused = record.holder.is_none();
        let since = record.released_at?;
        (sticky && unused && now.duration_since(since) >= kept_for).then_some(id)
    }
}

/// Whether anybody may have it.
fn is_free(record: &AddressRecord) -> bool {
    record.holder.is_none() && record.reserved_for.is_none() && !record.unproven
}

impl<S: Store> Ipam<S> {
    /// An attempt at the best address of each family that all of the pool has.
    ///
    /// # Errors
    /// [`IpamError::Exhausted`], with the count of the family that is used up.
    pub(super) async fn scan_for_all(
        &self,
        asking: &mut Asking<'_>,
        pool: (Revision, PoolRecord),
    ) -> Result<Attempt, IpamError> {
        let mut known = self.known_addresses(&pool.1).await?;
        let mut picks = Vec::new();
        for family in pool.1.families() {
            picks.push(self.scan_for(asking, (&pool.1, &mut known), family).await?);
        }
        let ground = self.ground(asking, &pool);
        Ok(self.prepare(asking, ground, picks, Vec::new()))
    }

    /// The best address of `family`.
    pub(super) async fn scan_for(
        &self,
        asking: &mut Asking<'_>,
        (pool, known): (&PoolRecord, &mut KnownAddresses),
        family: Family,
    ) -> Result<Pick, IpamError> {
        let seed = crate::seed(asking.request.attachment.container.as_str());
        loop {
            let scan = Scan {
                pool,
                known,
                family,
            };
            let Some(found) = scan.best(asking, seed) else {
                let pools = vec![scan.count(asking)];
                return Err(IpamError::Exhausted { pools });
            };
            match found {
                Found::Rested(address) | Found::Unproven(address) => {
                    return Ok(pick_known(asking, pool, known, address));
                }
                Found::Resting(address) => {
                    self.learn(asking.pool, |hint| hint.note_dry(uptime_ms()));
                    return Ok(pick_known(asking, pool, known, address));
                }
                Found::Forsaken(address, id) => {
                    if self.give_up(&id, known).await? {
                        *known = self.known_addresses(pool).await?;
                    } else {
                        asking.avoid.insert(address);
                    }
                }
            }
        }
    }

    /// Gives up a forsaken reservation and everything it keeps, when it still is one.
    ///
    /// A step of its own: killed after it, the addresses are as free as any other.
    async fn give_up(&self, id: &ReservationId, known: &KnownAddresses) -> Result<bool, IpamError> {
        let key = keys::reservation(id);
        let answer = self.store.read(&[Read::Get(key.as_str().into())]).await?;
        let found = parse::<ReservationRecord>(&answer, 0)?;
        let operators = |record: &ReservationRecord| record.policy != ReservationPolicy::Sticky;
        if found.as_ref().is_some_and(|(_, record)| operators(record)) {
            return Ok(false);
        }
        let revision = found.map_or(Revision::ABSENT, |(revision, _)| revision);
        let mut txn = Txn {
            compares: vec![Compare::at(key.as_str(), revision)],
            writes: vec![Write::delete(key)],
            otherwise: Vec::new(),
        };
        for (address, (revision, record)) in known {
            let Some(record) = record
                .as_ref()
                .filter(|r| r.reserved_for.as_ref() == Some(id))
            else {
                continue;
            };
            if record.holder.is_some() {
                return Ok(false);
            }
            let mut freed = record.clone();
            freed.reserved_for = None;
            txn.compares
                .push(Compare::at(keys::address(*address), *revision));
            txn.writes
                .push(Write::put(keys::address(*address), freed.encode()));
        }
        debug!(reservation = %id, "forsaken, and the pool is full: given up");
        self.commit_surely(&txn).await?;
        Ok(true)
    }

    /// Every address of the pool that has a record.
    pub(super) async fn known_addresses(
        &self,
        pool: &PoolRecord,
    ) -> Result<KnownAddresses, IpamError> {
        let ranges = pool.subnets.iter().map(Subnet::whole);
        let reads: Vec<_> = ranges
            .map(|r| KeyRange::inclusive(keys::address(r.first()), keys::address(r.last())))
            .map(Read::List)
            .collect();
        let mut known = BTreeMap::new();
        for some in reads.chunks(BLOCKS_PER_READ) {
            let answer = self.store.read(some).await?;
            for entry in answer.lists.iter().flatten() {
                let Some(address) = keys::parse_address(&entry.key) else {
                    continue;
                };
                let record = decode::<AddressRecord>(entry).ok();
                known.insert(address, (entry.revision, record.map(|(_, record)| record)));
            }
        }
        Ok(known)
    }

    /// What an attempt rests on besides the pool.
    pub(super) fn ground(&self, asking: &Asking<'_>, pool: &(Revision, PoolRecord)) -> Ground {
        let node = asking.node.unwrap_or(Revision::ABSENT);
        let ground = |hint: &Hint| Ground {
            node,
            ..Ground::of(hint, pool.clone())
        };
        let seen = self.hint(asking.pool).update(|hint| ground(hint));
        // A witness that cannot be dropped any more would have every claim refused.
        seen.if_kept().unwrap_or_else(|| ground(&Hint::default()))
    }
}

/// An address whose key was read.
pub(super) fn pick_known(
    asking: &Asking<'_>,
    pool: &PoolRecord,
    known: &KnownAddresses,
    address: IpAddr,
) -> Pick {
    let unused = || AddressRecord::unused(asking.pool.clone());
    let (revision, record) = known.get(&address).map_or_else(
        || (Revision::ABSENT, unused()),
        |(revision, record)| (*revision, record.clone().unwrap_or_else(unused)),
    );
    Pick {
        address,
        revision,
        record,
        block: Block::containing(address, pool.block_size),
    }
}
