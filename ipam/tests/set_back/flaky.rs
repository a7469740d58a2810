//! A store whose user is cut off after some transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use berth_store::{
    Answer, AnyStore, AnyWatch, KeyRange, LineageSeen, Outcome, Read, Revision, Store, StoreError,
    Txn,
};

/// Makes so many transactions, and one more whose answer is lost; then nobody answers.
#[derive(Clone)]
pub(crate) struct Flaky {
    pub(crate) real: AnyStore,
    left: Arc<AtomicUsize>,
}

impl Flaky {
    pub(crate) fn after(commits: usize, real: AnyStore) -> Self {
        Self {
            real,
            left: Arc::new(AtomicUsize::new(commits + 1)),
        }
    }

    fn away() -> StoreError {
        StoreError::Unavailable {
            store: "test".into(),
            reason: "cut off".into(),
        }
    }
}

impl Store for Flaky {
    type Watch = AnyWatch;

    async fn read(&self, reads: &[Read]) -> Result<Answer, StoreError> {
        if self.left.load(Ordering::Relaxed) == 0 {
            return Err(Self::away());
        }
        self.real.read(reads).await
    }

    async fn commit(&self, txn: &Txn) -> Result<Outcome, StoreError> {
        match self.left.load(Ordering::Relaxed) {
            0 => return Err(Self::away()),
            left => self.left.store(left - 1, Ordering::Relaxed),
        }
        let made = self.real.commit(txn).await;
        if self.left.load(Ordering::Relaxed) == 0 {
            return Err(Self::away());
        }
        made
    }

    fn lineage(&self) -> LineageSeen {
        self.real.lineage()
    }

    async fn watch(&self, range: &KeyRange, after: Revision) -> Result<AnyWatch, StoreError> {
        self.real.watch(range, after).await
    }
}
