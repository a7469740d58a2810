//! Deleting a pool: only one that drains, and only while nobody has anything of it.

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;

use berth_store::{Answer, Compare, KeyRange, Outcome, Read, Revision, Store, Txn, Write};
use berth_types::{
    AddressRecord, BadRecord, Holder, PoolRecord, PoolState, Record as _, ReservationId,
    ReservationPolicy, ReservationRecord, Subnet, keys,
};

use super::{ATTEMPTS, PoolError, StoredPool};
use crate::record::{decode, list, one};

/// How many keys one transaction changes beside the pool's compare; etcd allows 128 operations.
const KEYS_PER_TXN: usize = 120;

/// What is deleted together with a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goes {
    /// How many addresses are remembered with their last holders.
    pub remembered: usize,
    /// The sticky reservations of pods that do not run, in order.
    pub reservations: Vec<ReservationId>,
}

/// What [`delete()`] would delete beside the pool; nothing is written.
///
/// # Errors
/// As [`delete()`].
pub async fn what_goes(store: &impl Store, seen: &StoredPool) -> Result<Goes, PoolError> {
    let contents = Contents::read(store, seen).await?;
    contents.refuse(seen)?;
    Ok(Goes {
        remembered: contents.addresses.len(),
        reservations: contents.sticky.into_iter().map(|r| r.id).collect(),
    })
}

/// Deletes a draining pool that nobody uses, with what is remembered of its addresses.
///
/// Sticky reservations go with it, since no pod that has one holds its address; those made by
/// operators do not. An interruption leaves the pool as it was, perhaps without some of the sticky
/// reservations: the same command goes on.
///
/// # Errors
/// [`PoolError::Active`] unless it drains; [`PoolError::Changed`] when it is not what was `seen`;
/// [`PoolError::InUse`] while an address is held; [`PoolError::Reserved`].
pub async fn delete(store: &impl Store, seen: &StoredPool) -> Result<(), PoolError> {
    for _ in 0..ATTEMPTS {
        let contents = Contents::read(store, seen).await?;
        contents.refuse(seen)?;
        let done = if contents.sticky.is_empty() {
            contents.delete(store, seen).await?
        } else {
            contents.drop_sticky(store, seen).await?;
            false
        };
        if done {
            return Ok(());
        }
    }
    Err(PoolError::Contended(ATTEMPTS))
}

/// All there is of a pool, as of one revision.
struct Contents {
    at: Revision,
    pool: Option<Revision>,
    addresses: Vec<(IpAddr, Revision, AddressRecord)>,
    /// Reservations that an operator made of it.
    kept: Vec<ReservationId>,
    sticky: Vec<Sticky>,
}

struct Sticky {
    id: ReservationId,
    revision: Revision,
    /// The addresses that are kept for it, whether or not it lists them.
    marked: Vec<(IpAddr, Revision, AddressRecord)>,
}

impl Contents {
    async fn read(store: &impl Store, pool: &StoredPool) -> Result<Self, PoolError> {
        let mut reads = vec![
            Read::Get(keys::pool(&pool.name).into()),
            Read::List(KeyRange::prefix(keys::RESERVATIONS)),
        ];
        let ranges = pool.record.subnets.iter().map(addresses_of);
        reads.extend(ranges.map(Read::List));
        let answer = store.read(&reads).await?;
        let mut contents = Self {
            at: answer.revision,
            pool: one(&answer, 0).map(|entry| entry.revision),
            addresses: Vec::new(),
            kept: Vec::new(),
            sticky: Vec::new(),
        };
        for entry in answer.lists.iter().skip(2).flatten() {
            let (revision, record) = decode(entry)?;
            let address = keys::parse_address(&entry.key).ok_or_else(|| foreign(&entry.key))?;
            contents.addresses.push((address, revision, record));
        }
        contents.add_reservations(pool, &answer)?;
        Ok(contents)
    }

    /// A reservation that cannot be read stands in the way only if an address says it is ours.
    fn add_reservations(&mut self, pool: &StoredPool, answer: &Answer) -> Result<(), PoolError> {
        let mut marked: BTreeMap<&ReservationId, Vec<_>> = BTreeMap::new();
        for entry @ (_, _, record) in &self.addresses {
            if let Some(id) = &record.reserved_for {
                marked.entry(id).or_default().push(entry.clone());
            }
        }
        for entry in list(answer, 1) {
            let Some(id) = keys::parse_reservation(&entry.key) else {
                continue;
            };
            let marked = marked.remove(&id).unwrap_or_default();
            match decode::<ReservationRecord>(entry) {
                Ok((_, record)) if record.pool != pool.name => {}
                Ok((revision, record)) => match record.policy {
                    ReservationPolicy::Kept => self.kept.push(id),
                    ReservationPolicy::Sticky => self.sticky.push(Sticky {
                        id,
                        revision,
                        marked,
                    }),
                },
                Err(_) if marked.is_empty() => {}
                Err(bad) => return Err(bad.into()),
            }
        }
        Ok(())
    }

    fn refuse(&self, seen: &StoredPool) -> Result<(), PoolError> {
        let pool = || seen.name.clone();
        if self.pool != Some(seen.revision) {
            return Err(PoolError::Changed(pool()));
        }
        if seen.record.state == PoolState::Active {
            return Err(PoolError::Active(pool()));
        }
        let held: Vec<(IpAddr, &Holder)> = self
            .addresses
            .iter()
            .filter_map(|(address, _, record)| Some((*address, record.holder.as_ref()?)))
            .collect();
        if let Some((first, holder)) = held.first() {
            return Err(PoolError::InUse {
                pool: pool(),
                held: held.len(),
                first: first.to_string(),
                holder: holder.attachment.to_string(),
            });
        }
        match self.kept.first() {
            None => Ok(()),
            Some(first) => Err(PoolError::Reserved {
                pool: pool(),
                count: self.kept.len(),
                first: first.clone(),
            }),
        }
    }

    /// Deletes the sticky reservations and takes their names off their addresses. Some are left
    /// when one of them changed meanwhile.
    async fn drop_sticky(&self, store: &impl Store, pool: &StoredPool) -> Result<(), PoolError> {
        let guard = Compare::at(keys::pool(&pool.name), pool.revision);
        let mut txn = Txn::default();
        for (n, sticky) in self.sticky.iter().enumerate() {
            sticky.add_to(&mut txn);
            let next = self.sticky.get(n + 1).map(|next| 1 + next.marked.len());
            if next.is_some_and(|keys| txn.writes.len() + keys <= KEYS_PER_TXN) {
                continue;
            }
            let mut full = mem::take(&mut txn);
            full.compares.push(guard.clone());
            if let Outcome::Refused(_) = store.commit(&full).await? {
                break;
            }
        }
        Ok(())
    }

    /// Deletes everything; `false` when some of it changed since it was read.
    async fn delete(&self, store: &impl Store, seen: &StoredPool) -> Result<bool, PoolError> {
        let StoredPool {
            name,
            revision,
            record,
        } = seen;
        let pool = Compare::at(keys::pool(name), *revision);
        // By themselves, since both do not fit into one transaction of a pool of 64 subnets. A wish
        // for an address that nobody keeps means nothing.
        let wishes = delete_ranges(record, keys::wanted);
        let txn = Txn {
            compares: vec![pool.clone()],
            writes: wishes,
            otherwise: Vec::new(),
        };
        if let Outcome::Refused(_) = store.commit(&txn).await? {
            return Ok(false);
        }
        let unchanged = record.subnets.iter().map(|subnet| Compare::NoneNewer {
            range: addresses_of(subnet),
            revision: self.at,
        });
        let mut writes = vec![Write::delete(keys::pool(name))];
        writes.push(Write::DeleteRange {
            range: KeyRange::prefix(keys::blocks(name)),
        });
        writes.extend(delete_ranges(record, keys::address));
        let txn = Txn {
            compares: unchanged.chain([pool]).collect(),
            writes,
            otherwise: Vec::new(),
        };
        Ok(match store.commit(&txn).await? {
            Outcome::Committed(_) => true,
            Outcome::Refused(_) => false,
        })
    }
}

impl Sticky {
    /// Deletes it, and takes its name off its addresses.
    fn add_to(&self, txn: &mut Txn) {
        let Self {
            id,
            revision,
            marked,
        } = self;
        let key = keys::reservation(id);
        txn.compares.push(Compare::at(key.as_str(), *revision));
        txn.writes.push(Write::delete(key));
        for (address, revision, record) in marked {
            let key = keys::address(*address);
            let left = AddressRecord {
                reserved_for: None,
                ..record.clone()
            };
            txn.compares.push(Compare::at(key.as_str(), *revision));
            txn.writes.push(Write::put(key, left.encode()));
        }
    }
}

fn delete_ranges(pool: &PoolRecord, key: fn(IpAddr) -> String) -> Vec<Write> {
    let range = |subnet: &Subnet| keys_of(subnet, key);
    let ranges = pool.subnets.iter().map(range);
    ranges.map(|range| Write::DeleteRange { range }).collect()
}

fn addresses_of(subnet: &Subnet) -> KeyRange {
    keys_of(subnet, keys::address)
}

fn keys_of(subnet: &Subnet, key: fn(IpAddr) -> String) -> KeyRange {
    let whole = subnet.whole();
    KeyRange::inclusive(key(whole.first()), key(whole.last()))
}

fn foreign(key: &[u8]) -> BadRecord {
    BadRecord::Malformed {
        key: String::from_utf8_lossy(key).into_owned(),
        reason: "its key spells no address".into(),
    }
}
