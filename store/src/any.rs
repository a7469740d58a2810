//! Whichever store the configuration asks for.

use crate::embedded::{EmbeddedStore, EmbeddedWatch};
use crate::etcd::{EtcdStore, EtcdWatch};
use crate::{Answer, Event, KeyRange, LineageSeen, Outcome, Read, Revision, Store, StoreConfig};
use crate::{StoreError, Txn, Watch};

/// One of the two stores, chosen at run time.
#[derive(Clone, Debug)]
pub enum AnyStore {
    /// A cluster's.
    Etcd(EtcdStore),
    /// One machine's.
    Embedded(EmbeddedStore),
    /// One that could not be opened: every call says why.
    Unopened {
        /// Where the store is.
        store: String,
        /// Why it could not be opened.
        reason: String,
    },
}

impl AnyStore {
    /// As [`AnyStore::open`], for a caller that has other things to do as well: where the store
    /// cannot be opened, every call is answered by [`StoreError::Rejected`] with the reason.
    pub fn open_or_say(config: &StoreConfig) -> Self {
        Self::open(config).unwrap_or_else(|error| Self::Unopened {
            store: match config {
                StoreConfig::Embedded(folder) => format!("embedded:{}", folder.display()),
                StoreConfig::Etcd(etcd) => format!("etcd:{}", etcd.endpoints.join(",")),
            },
            reason: error.to_string(),
        })
    }

    fn unopened(store: &str, reason: &str) -> StoreError {
        StoreError::Rejected {
            store: store.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// Opens the store that `config` names.
    ///
    /// An etcd connection is made by the first call that needs it; an embedded store's folder is
    /// created when absent.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a folder that cannot be opened, [`StoreError::Rejected`] for
    /// certificates that cannot be read.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        Ok(match config {
            StoreConfig::Etcd(etcd) => Self::Etcd(EtcdStore::new(etcd)?),
            StoreConfig::Embedded(folder) => Self::Embedded(EmbeddedStore::open(folder)?),
        })
    }
}

impl Store for AnyStore {
    type Watch = AnyWatch;

    async fn read(&self, reads: &[Read]) -> Result<Answer, StoreError> {
        match self {
            Self::Etcd(store) => store.read(reads).await,
            Self::Embedded(store) => store.read(reads).await,
            Self::Unopened { store, reason } => Err(Self::unopened(store, reason)),
        }
    }

    async fn commit(&self, txn: &Txn) -> Result<Outcome, StoreError> {
        match self {
            Self::Etcd(store) => store.commit(txn).await,
            Self::Embedded(store) => store.commit(txn).await,
            Self::Unopened { store, reason } => Err(Self::unopened(store, reason)),
        }
    }

    fn outlives_sender(&self) -> bool {
        match self {
            Self::Etcd(store) => store.outlives_sender(),
            Self::Embedded(store) => store.outlives_sender(),
            // Unknown, so the more careful answer.
            Self::Unopened { .. } => true,
        }
    }

    fn lineage(&self) -> LineageSeen {
        match self {
            Self::Etcd(store) => store.lineage(),
            Self::Embedded(store) => store.lineage(),
            Self::Unopened { .. } => LineageSeen::Nobody,
        }
    }

    async fn watch(&self, range: &KeyRange, after: Revision) -> Result<AnyWatch, StoreError> {
        Ok(match self {
            Self::Etcd(store) => AnyWatch::Etcd(Box::new(store.watch(range, after).await?)),
            Self::Embedded(store) => AnyWatch::Embedded(store.watch(range, after).await?),
            Self::Unopened { store, reason } => return Err(Self::unopened(store, reason)),
        })
    }
}

/// The watch of an [`AnyStore`].
#[derive(Debug)]
pub enum AnyWatch {
    /// A cluster's.
    Etcd(Box<EtcdWatch>),
    /// One machine's.
    Embedded(EmbeddedWatch),
}

impl Watch for AnyWatch {
    async fn next(&mut self) -> Result<Vec<Event>, StoreError> {
        match self {
            Self::Etcd(watch) => watch.next().await,
            Self::Embedded(watch) => watch.next().await,
        }
    }
}
