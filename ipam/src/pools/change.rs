//! Making and changing pools: decided on all pools as they are, and written only if none of them
//! changed meanwhile.

use berth_store::{Answer, Compare, KeyRange, Outcome, Read, Revision, Store, Txn, Write};
use berth_types::{
    AddressRange, BlockSize, InvalidPool, NamePattern, PoolName, PoolRecord, PoolState,
    Record as _, Subnet, keys,
};

use super::{ATTEMPTS, PoolError, Pools, StoredPool};
use crate::record::list;

/// What an operator changes of a pool, which may be in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// More subnets.
    Extend(Vec<Subnet>),
    /// Ranges that are not handed out any more; whoever holds an address of them keeps it.
    Exclude(Vec<AddressRange>),
    /// Ranges that are excluded no more.
    Include(Vec<AddressRange>),
    /// Nothing is handed out any more; what is held stays held.
    Drain,
    /// A draining pool hands out again.
    Resume,
    /// Who may draw from it, and how long addresses are kept.
    Set(Settings),
}

/// Settings of a pool; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Addresses per block; only while no node has claimed one.
    pub block_size: Option<BlockSize>,
    /// The namespaces that may draw from it; empty for all.
    pub namespaces: Option<Vec<NamePattern>>,
    /// The nodes that may draw from it; empty for all.
    pub nodes: Option<Vec<NamePattern>>,
    /// Whether a pod's interface keeps its address over its pod's lives.
    pub sticky: Option<bool>,
    /// How long such an address is kept unused, in seconds; 0 is for ever.
    pub sticky_for_s: Option<u32>,
    /// How long a released address rests, in seconds.
    pub cooldown_s: Option<u32>,
}

/// A pool before and after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What it was.
    pub before: PoolRecord,
    /// What it is.
    pub after: PoolRecord,
    /// When it was written last: by this change, unless that changes nothing.
    pub revision: Revision,
}

impl Change {
    /// The pool once it is changed. Pure.
    ///
    /// # Errors
    /// [`InvalidPool`] when there cannot be such a pool.
    pub fn apply(&self, pool: &PoolRecord) -> Result<PoolRecord, InvalidPool> {
        let mut changed = pool.clone();
        match self {
            Self::Extend(subnets) => changed.subnets.extend(subnets.iter().cloned()),
            Self::Exclude(ranges) => each(&mut changed, ranges, Subnet::excluding)?,
            Self::Include(ranges) => each(&mut changed, ranges, Subnet::including)?,
            Self::Drain => changed.state = PoolState::Draining,
            Self::Resume => changed.state = PoolState::Active,
            Self::Set(settings) => settings.apply(&mut changed),
        }
        changed.validate()?;
        Ok(changed)
    }
}

/// Changes the subnets that have addresses of each range, of which there must be one.
fn each(
    pool: &mut PoolRecord,
    ranges: &[AddressRange],
    change: impl Fn(&Subnet, AddressRange) -> Subnet,
) -> Result<(), InvalidPool> {
    for range in ranges {
        let mut found = false;
        for subnet in &mut pool.subnets {
            if subnet.whole().overlaps(range) {
                *subnet = change(subnet, *range);
                found = true;
            }
        }
        if !found {
            return Err(InvalidPool {
                field: "range",
                value: range.to_string(),
                problem: "lies in none of the pool's subnets",
            });
        }
    }
    Ok(())
}

impl Settings {
    fn apply(&self, pool: &mut PoolRecord) {
        fn set<T: Clone>(value: &mut T, wanted: Option<&T>) {
            if let Some(wanted) = wanted {
                value.clone_from(wanted);
            }
        }
        let Self {
            block_size,
            namespaces,
            nodes,
            sticky,
            sticky_for_s,
            cooldown_s,
        } = self;
        set(&mut pool.block_size, block_size.as_ref());
        set(&mut pool.namespaces, namespaces.as_ref());
        set(&mut pool.nodes, nodes.as_ref());
        set(&mut pool.sticky, sticky.as_ref());
        set(&mut pool.sticky_for_s, sticky_for_s.as_ref());
        set(&mut pool.cooldown_s, cooldown_s.as_ref());
    }
}

/// Makes a pool. No two pools overlap, also when two operators make them at the same moment.
///
/// # Errors
/// [`PoolError`]; then nothing was made.
pub async fn create(
    store: &impl Store,
    name: &PoolName,
    record: &PoolRecord,
) -> Result<Revision, PoolError> {
    record.validate()?;
    for _ in 0..ATTEMPTS {
        let seen = Seen::read(store, name).await?;
        seen.pools.expect_all()?;
        if seen.pools.find(name).is_ok() {
            return Err(PoolError::Exists(name.clone()));
        }
        refuse_overlap(&seen.pools.readable, name, record)?;
        if let Some(revision) = seen.put(store, name, Revision::ABSENT, record).await? {
            return Ok(revision);
        }
    }
    Err(PoolError::Contended(ATTEMPTS))
}

/// Changes a pool as it is at that moment. What changes nothing is not written.
///
/// # Errors
/// [`PoolError`]; then nothing was changed.
pub async fn change(
    store: &impl Store,
    name: &PoolName,
    change: &Change,
) -> Result<Changed, PoolError> {
    for _ in 0..ATTEMPTS {
        let seen = Seen::read(store, name).await?;
        let planned = seen.plan(name, change)?;
        if planned.before == planned.after {
            return Ok(planned);
        }
        let put = seen
            .put(store, name, planned.revision, &planned.after)
            .await?;
        if let Some(revision) = put {
            return Ok(Changed {
                revision,
                ..planned
            });
        }
    }
    Err(PoolError::Contended(ATTEMPTS))
}

/// What [`change()`] would do; nothing is written.
///
/// # Errors
/// As [`change()`].
pub async fn preview(
    store: &impl Store,
    name: &PoolName,
    change: &Change,
) -> Result<Changed, PoolError> {
    Seen::read(store, name).await?.plan(name, change)
}

/// What a change is decided from.
struct Seen {
    at: Revision,
    pools: Pools,
    /// How many blocks of the pool are claimed.
    claimed: usize,
}

impl Seen {
    async fn read(store: &impl Store, name: &PoolName) -> Result<Self, PoolError> {
        let ranges = [keys::POOLS.to_owned(), keys::blocks(name)];
        let answer: Answer = store
            .read(&ranges.map(|prefix| Read::List(KeyRange::prefix(prefix))))
            .await?;
        Ok(Self {
            at: answer.revision,
            pools: Pools::parse(list(&answer, 0)),
            claimed: list(&answer, 1).len(),
        })
    }

    fn plan(&self, name: &PoolName, change: &Change) -> Result<Changed, PoolError> {
        let pool = self.pools.find(name)?;
        let after = change.apply(&pool.record)?;
        // Only more subnets can meet those of another pool.
        if after.subnets.len() > pool.record.subnets.len() {
            self.pools.expect_all()?;
            refuse_overlap(&self.pools.readable, name, &after)?;
        }
        let size = pool.record.block_size;
        // A node claims a block only at the pool's revision, so none appears unnoticed.
        if after.block_size != size && self.claimed > 0 {
            return Err(PoolError::Frozen {
                pool: name.clone(),
                size,
                claimed: self.claimed,
            });
        }
        Ok(Changed {
            before: pool.record.clone(),
            after,
            revision: pool.revision,
        })
    }

    /// Writes the pool; `None` when any pool changed since.
    async fn put(
        &self,
        store: &impl Store,
        name: &PoolName,
        known: Revision,
        record: &PoolRecord,
    ) -> Result<Option<Revision>, PoolError> {
        let txn = Txn {
            compares: vec![
                Compare::NoneNewer {
                    range: KeyRange::prefix(keys::POOLS),
                    revision: self.at,
                },
                Compare::at(keys::pool(name), known),
            ],
            writes: vec![Write::put(keys::pool(name), record.encode())],
            otherwise: Vec::new(),
        };
        Ok(match store.commit(&txn).await? {
            Outcome::Committed(revision) => Some(revision),
            Outcome::Refused(_) => None,
        })
    }
}

fn refuse_overlap(
    pools: &[StoredPool],
    name: &PoolName,
    record: &PoolRecord,
) -> Result<(), PoolError> {
    for other in pools.iter().filter(|pool| pool.name != *name) {
        let Some(theirs) = record.overlap(&other.record) else {
            continue;
        };
        let whole = theirs.whole();
        let ours = record
            .subnets
            .iter()
            .find(|subnet| subnet.whole().overlaps(&whole));
        return Err(PoolError::Overlap {
            subnet: ours
                .map(|subnet| subnet.cidr.to_string())
                .unwrap_or_default(),
            theirs: theirs.cidr.to_string(),
            pool: other.name.clone(),
        });
    }
    Ok(())
}
