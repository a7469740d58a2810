//! What operators do with pools. Every change guards on what it was decided from.

use berth_store::{Compare, KeyRange, Outcome, Read, Revision, Store, StoreError, Txn, Write};
use berth_types::{
    AddressRecord, BadRecord, InvalidPool, PoolName, PoolRecord, PoolState, Record as _, Subnet,
    keys,
};

use crate::record::{decode, list};

/// How often a change is decided anew when pools change under it.
const ATTEMPTS: u32 = 8;

/// A pool that was not made, changed or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The store gave no decision.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pool cannot be as asked.
    #[error(transparent)]
    Invalid(#[from] InvalidPool),
    /// A record that this program must not touch.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// The name is taken.
    #[error("pool {0} exists already")]
    Exists(PoolName),
    /// There is no such pool.
    #[error("pool {0} does not exist")]
    NoSuchPool(PoolName),
    /// Another pool has some of these addresses.
    #[error("subnet {subnet} overlaps subnet {theirs} of pool {pool}")]
    Overlap {
        /// What was asked for.
        subnet: String,
        /// What stands in the way.
        theirs: String,
        /// Whose it is.
        pool: PoolName,
    },
    /// Some of the pool's addresses are held.
    #[error("pool {pool} is in use: {held} of its addresses are held, {first} by {holder}")]
    InUse {
        /// The pool.
        pool: PoolName,
        /// How many.
        held: usize,
        /// One of them.
        first: String,
        /// Who holds that.
        holder: String,
    },
    /// The pool is not what it was when it was looked at.
    #[error("pool {0} changed since it was looked at")]
    Changed(PoolName),
    /// Others kept changing pools at the same moment.
    #[error("pools changed at each of {ATTEMPTS} attempts")]
    Contended,
}

impl PoolError {
    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::Invalid(_) => "correct the value and try again; nothing was changed",
            Self::Record(_) => {
                "look at the record; upgrade this program if a newer release wrote it"
            }
            Self::Exists(_) => "add subnets to it with `cnictl pool extend`",
            Self::NoSuchPool(_) => "see `cnictl pool list`",
            Self::Overlap { .. } => "pools never overlap: choose another subnet",
            Self::InUse { .. } => "delete the containers first; see `cnictl ip list --pool`",
            Self::Changed(_) => "look at it again with `cnictl pool show`",
            Self::Contended => "try again",
        }
    }
}

/// A pool with its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPool {
    /// Its name.
    pub name: PoolName,
    /// When it was last changed.
    pub revision: Revision,
    /// What it is.
    pub record: PoolRecord,
}

/// Every pool, by name.
///
/// # Errors
/// [`PoolError::Store`]; [`PoolError::Record`] for a pool that cannot be read, since its addresses
/// are then unknown.
pub async fn all(store: &impl Store) -> Result<Vec<StoredPool>, PoolError> {
    read_all(store).await.map(|(_, pools)| pools)
}

async fn read_all(store: &impl Store) -> Result<(Revision, Vec<StoredPool>), PoolError> {
    let answer = store
        .read(&[Read::List(KeyRange::prefix(keys::POOLS))])
        .await?;
    let mut pools = Vec::new();
    for entry in list(&answer, 0) {
        let key = || String::from_utf8_lossy(&entry.key).into_owned();
        let name = keys::parse_pool(&entry.key).ok_or_else(|| BadRecord::Malformed {
            key: key(),
            reason: "its key names no pool".into(),
        })?;
        let (revision, record) = decode(entry)?;
        pools.push(StoredPool {
            name,
            revision,
            record,
        });
    }
    Ok((answer.revision, pools))
}

/// The pool of that name.
///
/// # Errors
/// [`PoolError::NoSuchPool`], and as [`all`].
pub async fn get(store: &impl Store, name: &PoolName) -> Result<StoredPool, PoolError> {
    let pools = all(store).await?;
    let found = pools.into_iter().find(|pool| pool.name == *name);
    found.ok_or_else(|| PoolError::NoSuchPool(name.clone()))
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
    change(store, |pools| {
        if pools.iter().any(|pool| pool.name == *name) {
            return Err(PoolError::Exists(name.clone()));
        }
        refuse_overlap(pools, name, record)?;
        Ok((name.clone(), record.clone()))
    })
    .await
}

/// Adds subnets to a pool, which may be in use.
///
/// # Errors
/// [`PoolError`]; then nothing was changed.
pub async fn extend(
    store: &impl Store,
    name: &PoolName,
    subnets: &[Subnet],
) -> Result<Revision, PoolError> {
    change(store, |pools| {
        let found = pools.iter().find(|pool| pool.name == *name);
        let found = found.ok_or_else(|| PoolError::NoSuchPool(name.clone()))?;
        let mut record = found.record.clone();
        record.subnets.extend(subnets.iter().cloned());
        record.validate()?;
        refuse_overlap(pools, name, &record)?;
        Ok((name.clone(), record))
    })
    .await
}

/// Lets a draining pool hand out addresses again; nothing changes when it does already.
///
/// # Errors
/// [`PoolError`]; then nothing was changed.
pub async fn resume(store: &impl Store, name: &PoolName) -> Result<Revision, PoolError> {
    change(store, |pools| {
        let found = pools.iter().find(|pool| pool.name == *name);
        let found = found.ok_or_else(|| PoolError::NoSuchPool(name.clone()))?;
        let state = PoolState::Active;
        let record = found.record.clone();
        Ok((name.clone(), PoolRecord { state, ..record }))
    })
    .await
}

/// Deletes a pool that nobody uses, with what is remembered of its addresses.
///
/// It stops handing out addresses first; when then some are held after all, it takes up again.
///
/// # Errors
/// [`PoolError::Changed`] when it is not what was `seen`; [`PoolError::InUse`] while an address is
/// held, the pool then is as it was.
pub async fn delete(store: &impl Store, seen: &StoredPool) -> Result<(), PoolError> {
    let StoredPool {
        name,
        revision,
        record,
    } = seen;
    refuse_held(store, seen).await?;
    let draining = PoolRecord {
        state: PoolState::Draining,
        ..record.clone()
    };
    let revision = put(store, name, *revision, &draining).await?;
    // Whatever was allocated before the pool began to drain is visible to this read.
    if let Err(in_use) = refuse_held(store, seen).await {
        put(store, name, revision, record).await?;
        return Err(in_use);
    }
    let ranges = record.subnets.iter().map(address_range);
    let mut writes = vec![Write::delete(keys::pool(name))];
    writes.push(Write::DeleteRange {
        range: KeyRange::prefix(keys::blocks(name)),
    });
    writes.extend(ranges.map(|range| Write::DeleteRange { range }));
    let compares = vec![Compare::at(keys::pool(name), revision)];
    match store
        .commit(&Txn {
            compares,
            writes,
            otherwise: Vec::new(),
        })
        .await?
    {
        Outcome::Committed(_) => Ok(()),
        Outcome::Refused(_) => Err(PoolError::Changed(name.clone())),
    }
}

fn address_range(subnet: &Subnet) -> KeyRange {
    let whole = subnet.whole();
    KeyRange::inclusive(keys::address(whole.first()), keys::address(whole.last()))
}

/// Refuses while an address of the pool is held.
///
/// # Errors
/// [`PoolError::InUse`]; [`PoolError::Record`] for an address whose record cannot be read.
pub async fn refuse_held(store: &impl Store, pool: &StoredPool) -> Result<(), PoolError> {
    let reads: Vec<_> = pool
        .record
        .subnets
        .iter()
        .map(|s| Read::List(address_range(s)))
        .collect();
    let answer = store.read(&reads).await?;
    let mut held = Vec::new();
    for entry in answer.lists.iter().flatten() {
        let (_, record) = decode::<AddressRecord>(entry)?;
        held.extend(
            record
                .holder
                .map(|holder| (keys::parse_address(&entry.key), holder)),
        );
    }
    let Some((address, holder)) = held.first() else {
        return Ok(());
    };
    Err(PoolError::InUse {
        pool: pool.name.clone(),
        held: held.len(),
        first: address.map(|a| a.to_string()).unwrap_or_default(),
        holder: holder.attachment.to_string(),
    })
}

async fn put(
    store: &impl Store,
    name: &PoolName,
    seen_at: Revision,
    record: &PoolRecord,
) -> Result<Revision, PoolError> {
    let txn = Txn {
        compares: vec![Compare::at(keys::pool(name), seen_at)],
        writes: vec![Write::put(keys::pool(name), record.encode())],
        otherwise: Vec::new(),
    };
    match store.commit(&txn).await? {
        Outcome::Committed(revision) => Ok(revision),
        Outcome::Refused(_) => Err(PoolError::Changed(name.clone())),
    }
}

/// Decides on all pools as they are, and writes only if none of them changed meanwhile.
async fn change(
    store: &impl Store,
    decide: impl Fn(&[StoredPool]) -> Result<(PoolName, PoolRecord), PoolError>,
) -> Result<Revision, PoolError> {
    for _ in 0..ATTEMPTS {
        let (seen_at, pools) = read_all(store).await?;
        let (name, record) = decide(&pools)?;
        let known = pools.iter().find(|pool| pool.name == name);
        let known = known.map_or(Revision::ABSENT, |pool| pool.revision);
        let range = KeyRange::prefix(keys::POOLS);
        let txn = Txn {
            compares: vec![
                Compare::NoneNewer {
                    range,
                    revision: seen_at,
                },
                Compare::at(keys::pool(&name), known),
            ],
            writes: vec![Write::put(keys::pool(&name), record.encode())],
            otherwise: Vec::new(),
        };
        match store.commit(&txn).await? {
            Outcome::Committed(revision) => return Ok(revision),
            Outcome::Refused(_) => {}
        }
    }
    Err(PoolError::Contended)
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
