//! A store whose user is cut off after some transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use berth_store::{
    Answer, AnyStore, AnyWatch, KeyRange, LineageSeen, Outcome, Read, Revision, Store, StoreError,
    Txn,
};

/// Makes so many transactions, and one more whose answer is lost; then nobody answers. Or lets
/// somebody in between reading and writing.
pub(crate) struct Flaky {
    pub(crate) real: AnyStore,
    left: Arc<AtomicUsize>,
    intruder: Option<(usize, Txn)>,
}

impl Flaky {
    pub(crate) fn after(commits: usize, real: AnyStore) -> Self {
        Self {
            real,
            left: Arc::new(AtomicUsize::new(commits + 1)),
            intruder: None,
        }
    }

    /// Never cut off; `intruder` is committed just before the transaction after so many.
    pub(crate) fn intruded_after(commits: usize, intruder: Txn, real: AnyStore) -> Self {
        Self {
            intruder: Some((usize::MAX - commits, intruder)),
            ..Self::after(usize::MAX - 1, real)
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
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(Self::away());
        }
        self.left.store(left - 1, Ordering::Relaxed);
        if let Some((_, intruder)) = self.intruder.as_ref().filter(|(at, _)| *at == left) {
            self.real.commit(intruder).await?;
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
