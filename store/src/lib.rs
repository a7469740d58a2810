//! One small transactional key-value interface, and the two stores behind it.
//!
//! A store maps byte keys to byte values. Every write happens in a [`Txn`]: all compares are
//! checked and all writes are made in one step, or none is. Every commit that writes takes the
//! next value of one global [`Revision`]; each key remembers the revision that wrote it last, and
//! no revision is ever used twice. So "nobody touched this since I looked" is one compare.
//!
//! [`etcd::EtcdStore`] serves a cluster, [`embedded::EmbeddedStore`] one machine;
//! [`AnyStore`] is whichever a [`StoreConfig`] asks for. Both pass `tests/contract/`.
#![doc = concat!("Crate version ", env!("CARGO_PKG_VERSION"), ".")]

mod any;
mod config;
pub mod embedded;
mod error;
pub mod etcd;
mod limits;
mod lineage;
mod txn;

use std::future::Future;

pub use any::{AnyStore, AnyWatch};
pub use config::{ConfigError, EtcdConfig, StoreConfig};
pub use error::StoreError;
pub use lineage::{Lineage, LineageSeen};
pub use txn::{Answer, Compare, Entry, Event, KeyRange, Outcome, Read, Revision, Txn, Write};

/// A transactional key-value store shared by many processes.
///
/// Cloning an implementation is cheap and shares its connections.
pub trait Store: Send + Sync {
    /// The stream type of [`Store::watch`].
    type Watch: Watch;

    /// Performs `reads`, all at one revision.
    ///
    /// The answer has one list of entries per read, in the order of `reads`, each in key order.
    /// It is linearizable: it shows every transaction that was answered before the call began.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no endpoint answered in time; reading changes nothing, so
    /// it may be repeated freely.
    fn read(&self, reads: &[Read]) -> impl Future<Output = Result<Answer, StoreError>> + Send;

    /// Makes all writes of `txn` if all its compares hold, else performs its `otherwise` reads.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] when the transaction may or may not have happened: send the
    /// very same one again, its compares decide. After [`StoreError::Unavailable`] it certainly
    /// did not happen.
    fn commit(&self, txn: &Txn) -> impl Future<Output = Result<Outcome, StoreError>> + Send;

    /// Whether a transaction may still be made after the process that sent it has died.
    ///
    /// True of every store at the other end of a network.
    fn outlives_sender(&self) -> bool {
        true
    }

    /// Whose answers this handle and its clones have brought so far.
    ///
    /// Every answer of [`Store::read`] and [`Store::commit`] is counted before it is returned.
    fn lineage(&self) -> LineageSeen;

    /// Streams every change of a key in `range` made after revision `after`, in order.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when changes since `after` are no longer kept: read again, and
    /// watch from the revision of that answer.
    fn watch(
        &self,
        range: &KeyRange,
        after: Revision,
    ) -> impl Future<Output = Result<Self::Watch, StoreError>> + Send;
}

/// Changes as they happen; see [`Store::watch`].
pub trait Watch: Send {
    /// Waits for the next batch: all changes of one or more whole revisions, never empty.
    ///
    /// # Errors
    /// Any error ends the stream. Start a new watch after the last revision that was delivered.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Event>, StoreError>> + Send;
}
