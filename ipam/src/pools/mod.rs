//! What operators do with pools. Every change guards on what it was decided from.
//!
//! [`create()`] makes one, [`change()`] changes one and [`preview()`] shows what it would do;
//! [`delete()`] deletes one that drains and that nobody uses.

mod change;
mod delete;
mod error;

use berth_store::{KeyRange, Read, Revision, Store};
use berth_types::{BadRecord, PoolName, PoolRecord, Subnet, keys};

use crate::record::{decode, list};

pub use change::{Change, Changed, Settings, change, create, preview};
pub use delete::{Goes, delete, what_goes};
pub use error::PoolError;

/// How often a change is decided anew when what it rests on changes under it.
const ATTEMPTS: u32 = 8;

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
    let answer = store
        .read(&[Read::List(KeyRange::prefix(keys::POOLS))])
        .await?;
    let pools = Pools::parse(list(&answer, 0));
    pools.expect_all()?;
    Ok(pools.readable)
}

/// Every pool that can be read, by name, and those that cannot.
struct Pools {
    readable: Vec<StoredPool>,
    /// With the name, where the key is a pool's.
    unreadable: Vec<(Option<PoolName>, BadRecord)>,
}

impl Pools {
    fn parse(entries: &[berth_store::Entry]) -> Self {
        let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
        for entry in entries {
            match (keys::parse_pool(&entry.key), decode(entry)) {
                (Some(name), Ok((revision, record))) => readable.push(StoredPool {
                    name,
                    revision,
                    record,
                }),
                (name @ Some(_), Err(bad)) => unreadable.push((name, bad)),
                (None, _) => unreadable.push((None, foreign(entry))),
            }
        }
        Self {
            readable,
            unreadable,
        }
    }

    /// Refuses where some cannot be read: their addresses are unknown, and could be anybody's.
    fn expect_all(&self) -> Result<(), PoolError> {
        match self.unreadable.first() {
            Some((_, bad)) => Err(bad.clone().into()),
            None => Ok(()),
        }
    }

    fn find(&self, name: &PoolName) -> Result<&StoredPool, PoolError> {
        let of_name = |(other, _): &&(Option<PoolName>, _)| other.as_ref() == Some(name);
        if let Some((_, bad)) = self.unreadable.iter().find(of_name) {
            return Err(bad.clone().into());
        }
        let found = self.readable.iter().find(|pool| pool.name == *name);
        found.ok_or_else(|| PoolError::NoSuchPool(name.clone()))
    }
}

fn foreign(entry: &berth_store::Entry) -> BadRecord {
    BadRecord::Malformed {
        key: String::from_utf8_lossy(&entry.key).into_owned(),
        reason: "its key names no pool".into(),
    }
}

/// The pool of that name.
///
/// # Errors
/// [`PoolError::NoSuchPool`], [`PoolError::Store`]; [`PoolError::Record`] for one that cannot be
/// read.
pub async fn get(store: &impl Store, name: &PoolName) -> Result<StoredPool, PoolError> {
    let all = [Read::List(KeyRange::prefix(keys::POOLS))];
    let answer = store.read(&all).await?;
    Pools::parse(list(&answer, 0)).find(name).cloned()
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
    let changed = change(store, name, &Change::Extend(subnets.to_vec())).await?;
    Ok(changed.revision)
}

/// Lets a pool hand out nothing more; what is held stays held.
///
/// # Errors
/// [`PoolError`]; then nothing was changed.
pub async fn drain(store: &impl Store, name: &PoolName) -> Result<Revision, PoolError> {
    Ok(change(store, name, &Change::Drain).await?.revision)
}
