//! A store that can be made to misbehave, over a real one.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use berth_store::{
    Answer, AnyStore, AnyWatch, KeyRange, LineageSeen, Outcome, Read, Revision, Store, StoreError,
    Txn,
};

/// The most operations of one kind that a node's transaction has; etcd allows 128.
const MOST: usize = 16;

/// The store of one node; clones share the misbehaviour.
#[derive(Clone, Debug)]
pub(crate) struct Rig {
    pub(crate) real: AnyStore,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    /// Commits that are let through before the mood shows.
    patience: usize,
    /// Made just before the next commit that the mood concerns.
    intruder: Option<Txn>,
    requests: usize,
    caught: Vec<Txn>,
}

/// What becomes of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// All is well.
    #[default]
    Good,
    /// Nobody answers.
    Away,
    /// Reads are answered; commits are kept back, as if the process had died sending them.
    Catching,
    /// So many commits are made without an answer.
    Losing(usize),
    /// One commit is made without an answer, all after it are rejected.
    Souring,
    /// Commits are rejected.
    Sour,
}

impl Rig {
    /// A well-behaved store.
    pub(crate) fn new(real: AnyStore) -> Self {
        Self {
            real,
            state: Arc::default(),
        }
    }

    /// From here on.
    pub(crate) fn set(&self, mood: Mood) {
        self.set_after(0, mood);
    }

    /// Once so many commits were made.
    pub(crate) fn set_after(&self, commits: usize, mood: Mood) {
        self.with(|state| (state.mood, state.patience) = (mood, commits));
    }

    /// Commits `txn` just before the commit after the next `commits`.
    pub(crate) fn intrude_after(&self, commits: usize, txn: Txn) {
        self.with(|state| (state.patience, state.intruder) = (commits, Some(txn)));
    }

    /// The transactions kept back so far.
    pub(crate) fn caught(&self) -> Vec<Txn> {
        self.with(|state| mem::take(&mut state.caught))
    }

    /// How many requests there were since it was last asked.
    pub(crate) fn requests(&self) -> usize {
        self.with(|state| mem::take(&mut state.requests))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The mood as this commit meets it, and who gets in before it.
    fn meet(&self) -> (Mood, Option<Txn>) {
        self.with(|state| {
            state.requests += 1;
            if state.patience > 0 {
                state.patience -= 1;
                return (Mood::Good, None);
            }
            let mood = state.mood;
            if let Mood::Losing(left) = mood {
                state.mood = left.checked_sub(1).map_or(Mood::Good, Mood::Losing);
            }
            if mood == Mood::Souring {
                state.mood = Mood::Sour;
            }
            (mood, state.intruder.take())
        })
    }
}

fn away() -> StoreError {
    StoreError::Unavailable {
        store: "test".into(),
        reason: "nobody answers".into(),
    }
}

impl Store for Rig {
    type Watch = AnyWatch;

    async fn read(&self, reads: &[Read]) -> Result<Answer, StoreError> {
        let mood = self.with(|state| {
            state.requests += 1;
            state.mood
        });
        if mood == Mood::Away {
            Err(away())
        } else {
            self.real.read(reads).await
        }
    }

    async fn commit(&self, txn: &Txn) -> Result<Outcome, StoreError> {
        let parts = [txn.compares.len(), txn.writes.len(), txn.otherwise.len()];
        // An allocation asks what else to do; what operators do at once may be large.
        let most = if txn.otherwise.is_empty() { 128 } else { MOST };
        assert!(
            parts.iter().all(|count| *count <= most),
            "compares, writes, questions: {parts:?}"
        );
        let (mood, intruder) = self.meet();
        if let Some(intruder) = intruder {
            self.real.commit(&intruder).await?;
        }
        match mood {
            Mood::Away => Err(away()),
            Mood::Catching => {
                self.with(|state| state.caught.push(txn.clone()));
                Err(away())
            }
            Mood::Sour => Err(StoreError::Rejected {
                store: "test".into(),
                reason: "the certificate has expired".into(),
            }),
            Mood::Losing(1..) | Mood::Souring => {
                self.real.commit(txn).await?;
                Err(StoreError::OutcomeUnknown {
                    store: "test".into(),
                    reason: "the answer was lost".into(),
                })
            }
            Mood::Good | Mood::Losing(_) => self.real.commit(txn).await,
        }
    }

    fn outlives_sender(&self) -> bool {
        self.real.outlives_sender()
    }

    fn lineage(&self) -> LineageSeen {
        self.real.lineage()
    }

    async fn watch(&self, range: &KeyRange, after: Revision) -> Result<AnyWatch, StoreError> {
        self.real.watch(range, after).await
    }
}
