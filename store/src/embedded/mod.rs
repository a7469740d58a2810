//! The store of one machine: an LMDB environment in a folder, opened by every process that uses it.
//!
//! LMDB lets any number of processes read at once and one write at a time. Its locks survive a
//! process killed anywhere: whoever comes next finds the last finished transaction. A commit is on
//! disk when it is answered. One whose process was killed just before the answer was made, and is
//! seen by everybody.
//!
//! Three tables: `kv` holds each key's revision and value; `log` the latest changes, for watches,
//! and its last key is the store's revision; `meta` what does not change: schema and store id.
//!
//! LMDB keeps process ids in its lock file, so all users must be of one PID namespace; `users.lock`
//! sees to it. The calls block the thread they run on, for a commit as long as the disk's
//! `fdatasync` and for as long as other processes' commits are in front; there is no deadline.

mod commit;
mod content;
mod identity;
mod log;
mod open;
mod users;
mod watch;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use watch::EmbeddedWatch;

use crate::limits::{check_reads, check_txn};
use crate::{
    Answer, KeyRange, Lineage, LineageSeen, Outcome, Read, Revision, Store, StoreError, Txn,
};
use open::Shared;

/// How an embedded store is opened. The first open in a process decides for that process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes that content and history may take, counted in whole pages. Beyond it nothing
    /// may grow, but keys can still be deleted and rewritten: the file can get half as large
    /// again. It takes only the room it needs.
    pub map_size: usize,
    /// How many of the latest revisions a watch can go back to. Fewer are kept when their changes
    /// fill a quarter of `map_size`.
    pub kept_revisions: u64,
}

impl Default for Options {
    /// 1 GiB and 10,000 revisions.
    fn default() -> Self {
        Self {
            map_size: 1024 * 1024 * 1024,
            kept_revisions: 10_000,
        }
    }
}

/// The store of one machine; see the module's description.
#[derive(Clone)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
}

impl EmbeddedStore {
    /// Opens the store in `folder`, creating it (mode 0700) when absent.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when the folder or its files cannot be used, or processes of
    /// another PID namespace are using them.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, Options::default())
    }

    /// [`EmbeddedStore::open`] with other sizes. A folder this process has open already is shared
    /// as it is; `options` then has no effect.
    ///
    /// # Errors
    /// Those of [`EmbeddedStore::open`].
    pub fn open_with(folder: &Path, options: Options) -> Result<Self, StoreError> {
        Ok(Self {
            shared: open::open(folder, options)?,
        })
    }

    /// The store's identity, 32 hexadecimal digits: drawn at random when it was created, and when a
    /// copy of its file was first opened in its place.
    ///
    /// A copy is another file by its inode number and birth. Bytes written over the same file are
    /// not told apart; nor is a process that had it open before told of the new one.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    fn rejected(&self, reason: String) -> StoreError {
        StoreError::Rejected {
            store: self.shared.name(),
            reason,
        }
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("folder", &self.shared.folder)
            .finish_non_exhaustive()
    }
}

impl Store for EmbeddedStore {
    type Watch = EmbeddedWatch;

    /// A transaction is made by its caller, so it ends with it.
    fn outlives_sender(&self) -> bool {
        false
    }

    async fn read(&self, reads: &[Read]) -> Result<Answer, StoreError> {
        check_reads(reads).map_err(|reason| self.rejected(reason))?;
        let shared = &*self.shared;
        let txn = shared.reading().map_err(|error| shared.failed(error))?;
        content::answer(&shared.tables, &txn, reads).map_err(|error| shared.failed(error))
    }

    async fn commit(&self, txn: &Txn) -> Result<Outcome, StoreError> {
        check_txn(txn).map_err(|reason| self.rejected(reason))?;
        commit::commit(&self.shared, txn)
    }

    fn lineage(&self) -> LineageSeen {
        LineageSeen::One(Lineage::new(self.id()))
    }

    async fn watch(&self, range: &KeyRange, after: Revision) -> Result<EmbeddedWatch, StoreError> {
        let watch = EmbeddedWatch::new(Arc::clone(&self.shared), range.clone(), after);
        watch.check_kept()?;
        Ok(watch)
    }
}
