//! What is known at any moment, by all that count or measure.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::containers::Containers;
use crate::engine::{Shared, now};
use crate::export::Source;
use crate::ledger::Store;
use crate::model::Snapshot;
use crate::sampler::Sampler;
use crate::snapshot::{self, Agent};

/// What is served: the counters as they are whenever somebody asks.
pub(super) struct Live<S> {
    pub(super) shared: Arc<Shared<S>>,
    pub(super) containers: Option<Arc<Containers>>,
    pub(super) sampler: Option<Arc<Sampler>>,
    pub(super) agent: Agent,
}

impl<S: Store> Live<S> {
    /// What is not as it should be, a sentence each.
    pub(super) fn sentences(&self) -> BTreeSet<String> {
        let notes = self.shared.notes();
        let mut all: BTreeSet<String> = notes.troubles.sentences().into_iter().collect();
        if !notes.overflowed.is_empty() {
            let said = "no slot is left: further interfaces are counted together, as the workload \
                        \"overflow\", until others end";
            all.insert(said.to_owned());
        }
        drop(notes);
        let containers = self.containers.iter();
        all.extend(containers.flat_map(|containers| containers.sentences()));
        all.extend(self.sampler.iter().filter_map(|sampler| sampler.problem()));
        all
    }
}

impl<S: Store + Send + 'static> Source for Live<S> {
    fn snapshot(&self) -> Arc<Snapshot> {
        let mut snapshot = snapshot::take(&self.shared, &self.agent, now());
        if let Some(containers) = &self.containers {
            containers.tell(&mut snapshot);
        }
        if let Some(sampler) = &self.sampler {
            sampler.tell(&mut snapshot);
        }
        Arc::new(snapshot)
    }
}
