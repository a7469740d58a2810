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
    parse_all(list(&answer, 0))
}

fn parse_all(entries: &[berth_store::Entry]) -> Result<Vec<StoredPool>, PoolError> {
    let mut pools = Vec::new();
    for entry in entries {
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
    Ok(pools)
}

/// The pool of that name.
///
/// # Errors
/// [`PoolError::NoSuchPool`], and as [`all`].
pub async fn get(store: &impl Store, name: &PoolName) -> Result<StoredPool, PoolError> {
    find(&all(store).await?, name).cloned()
}

fn find<'a>(pools: &'a [StoredPool], name: &PoolName) -> Result<&'a StoredPool, PoolError> {
    let found = pools.iter().find(|pool| pool.name == *name);
    found.ok_or_else(|| PoolError::NoSuchPool(name.clone()))
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
