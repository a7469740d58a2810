//! How often a source is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use traffic_agent::export::Source;
use traffic_agent::model::Snapshot;

/// A source that counts how often it is looked at.
#[derive(Debug)]
pub(crate) struct Counting {
    looks: AtomicUsize,
    snapshot: Arc<Snapshot>,
}

impl Counting {
    pub(crate) fn new(snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Self {
            looks: AtomicUsize::new(0),
            snapshot: Arc::new(snapshot),
        })
    }

    pub(crate) fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

impl Source for Counting {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        Arc::clone(&self.snapshot)
    }
}
