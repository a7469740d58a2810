//! A fresh store of either kind.

use berth_store::embedded::{EmbeddedStore, Options};
use berth_store::{AnyStore, EtcdConfig, KeyRange, Outcome, Revision, Store as _, StoreConfig};
use berth_store::{Txn, Write};
use etcd_client::Client;
use etcd_testing::Etcd;
use tempfile::TempDir;

/// A store nobody else uses, and what keeps it alive.
pub(crate) struct Fixture {
    pub(crate) config: StoreConfig,
    home: Home,
}

enum Home {
    Folder { _folder: TempDir },
    Server(Etcd),
}

/// So few that a test can write more.
const KEPT_REVISIONS: u64 = 50;

impl Fixture {
    pub(crate) fn embedded() -> Self {
        let folder = TempDir::new().expect("temporary folder");
        let config = StoreConfig::Embedded(folder.path().join("store"));
        Self {
            config,
            home: Home::Folder { _folder: folder },
        }
    }

    pub(crate) fn etcd() -> Self {
        let server = Etcd::start();
        let config = StoreConfig::Etcd(EtcdConfig::plain([server.endpoint()]));
        Self {
            config,
            home: Home::Server(server),
        }
    }

    /// Opens the store as a program would.
    pub(crate) fn open(&self) -> AnyStore {
        AnyStore::open(&self.config).expect("open the store")
    }

    /// Opens a store that soon forgets its history.
    pub(crate) fn open_forgetful(&self) -> AnyStore {
        match &self.config {
            StoreConfig::Etcd(_) => self.open(),
            StoreConfig::Embedded(folder) => {
                let options = Options {
                    kept_revisions: KEPT_REVISIONS,
                    ..Options::default()
                };
                let store = EmbeddedStore::open_with(folder, options);
                AnyStore::Embedded(store.expect("open the store"))
            }
        }
    }

    /// Makes a store of [`Self::open_forgetful`] forget everything before its latest revision.
    pub(crate) async fn forget_history(&self, store: &AnyStore) {
        let mut revision = Revision(0);
        for number in 0..KEPT_REVISIONS + 400 {
            revision = put(store, "forgotten", &number.to_string()).await;
        }
        if let Home::Server(server) = &self.home {
            compact(server, revision).await;
        }
    }
}

/// Makes the server forget what was before `revision`.
async fn compact(server: &Etcd, revision: Revision) {
    let client = Client::connect([server.endpoint()], None).await;
    let revision = i64::try_from(revision.0).expect("revision");
    let compacted = client.expect("connect").compact(revision, None).await;
    compacted.expect("compact");
}

/// Commits `txn` and returns its revision.
pub(crate) async fn commit(store: &AnyStore, txn: Txn) -> Revision {
    match store.commit(&txn).await.expect("commit") {
        Outcome::Committed(revision) => revision,
        Outcome::Refused(answer) => panic!("refused {txn:?}: {answer:?}"),
    }
}

/// Commits `writes` without any compare.
pub(crate) async fn write(store: &AnyStore, writes: impl Into<Vec<Write>>) -> Revision {
    commit(
        store,
        Txn {
            writes: writes.into(),
            ..Txn::default()
        },
    )
    .await
}

/// Sets one key.
pub(crate) async fn put(store: &AnyStore, key: &str, value: &str) -> Revision {
    write(store, [Write::put(key, value)]).await
}

/// The range from `first` to `last`.
pub(crate) fn between(first: &str, last: &str) -> KeyRange {
    KeyRange::inclusive(first, last)
}
