//! The store of a cluster: etcd 3.4 or later.
//!
//! Endpoints are tried in turn, each within a deadline, beginning with the one that answered last.
//! A transaction goes to one endpoint only: when its answer is lost, only the caller knows whether
//! its compares make it safe to send again.
//!
//! Connections are made by the first call that needs them and belong to the tokio runtime of that
//! call. A store used from another runtime after the first has ended reports one failure and then
//! connects anew.

mod cluster;
mod connect;
mod convert;
mod failure;
mod read;
mod watch;

use std::fmt;
use std::sync::Arc;

pub use watch::EtcdWatch;

use crate::Txn;
use crate::limits::{check_reads, check_txn};
use crate::{
    Answer, EtcdConfig, KeyRange, LineageSeen, Outcome, Read, Revision, Store, StoreError,
};
use cluster::Cluster;

/// The store of a cluster; see the module's description.
#[derive(Clone)]
pub struct EtcdStore {
    cluster: Arc<Cluster>,
}

impl EtcdStore {
    /// Reads the certificates and keys that `config` names. Nothing is connected to yet.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] when a file or an endpoint cannot be used.
    pub fn new(config: &EtcdConfig) -> Result<Self, StoreError> {
        let store = || format!("etcd:{}", config.endpoints.join(","));
        let cluster = Cluster::new(config).map_err(|reason| StoreError::Rejected {
            store: store(),
            reason,
        })?;
        Ok(Self {
            cluster: Arc::new(cluster),
        })
    }

    fn rejected(&self, reason: String) -> StoreError {
        StoreError::Rejected {
            store: self.cluster.name().to_owned(),
            reason,
        }
    }
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore")
            .field("name", &self.cluster.name())
            .finish_non_exhaustive()
    }
}

impl Store for EtcdStore {
    type Watch = EtcdWatch;

    async fn read(&self, reads: &[Read]) -> Result<Answer, StoreError> {
        check_reads(reads).map_err(|reason| self.rejected(reason))?;
        read::read(&self.cluster, reads)
            .await
            .map_err(|failure| self.cluster.error(failure))
    }

    async fn commit(&self, txn: &Txn) -> Result<Outcome, StoreError> {
        check_txn(txn).map_err(|reason| self.rejected(reason))?;
        let answerers = self.cluster.answerers();
        let sent = self.cluster.send(|clients| {
            let (mut kv, request) = (clients.kv, convert::txn(txn));
            async move { convert::outcome(&txn.otherwise, &kv.txn(request).await?, answerers) }
        });
        sent.await.map_err(|failure| self.cluster.error(failure))
    }

    fn lineage(&self) -> LineageSeen {
        self.cluster.answerers().seen()
    }

    async fn watch(&self, range: &KeyRange, after: Revision) -> Result<EtcdWatch, StoreError> {
        watch::watch(&self.cluster, range, after)
            .await
            .map_err(|failure| self.cluster.error(failure))
    }
}
