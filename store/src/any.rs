//! Whichever store the configuration asks for.

use crate::embedded::{EmbeddedStore, EmbeddedWatch};
use crate::etcd::{EtcdStore, EtcdWatch};
use crate::{Answer, Event, KeyRange, Outcome, Read, Revision, Store, StoreConfig, StoreError};
use crate::{Txn, Watch};

/// One of the two stores, chosen at run time.
#[derive(Clone, Debug)]
pub enum AnyStore {
    /// A cluster's.
    Etcd(EtcdStore),
    /// One machine's.
    Embedded(EmbeddedStore),
}

impl AnyStore {
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
        }
    }

    async fn commit(&self, txn: &Txn) -> Result<Outcome, StoreError> {
        match self {
            Self::Etcd(store) => store.commit(txn).await,
            Self::Embedded(store) => store.commit(txn).await,
        }
    }

    fn outlives_sender(&self) -> bool {
        match self {
            Self::Etcd(store) => store.outlives_sender(),
            Self::Embedded(store) => store.outlives_sender(),
        }
    }

    async fn watch(&self, range: &KeyRange, after: Revision) -> Result<AnyWatch, StoreError> {
        Ok(match self {
            Self::Etcd(store) => AnyWatch::Etcd(Box::new(store.watch(range, after).await?)),
            Self::Embedded(store) => AnyWatch::Embedded(store.watch(range, after).await?),
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
