//! Changes as they happen, by looking at the log now and then.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::log;
use super::open::Shared;
use crate::{Event, KeyRange, Revision, StoreError, Watch};

/// Time between two looks at the store's revision. A look costs about a microsecond.
const PERIOD: Duration = Duration::from_millis(20);

/// Changes delivered at once, about.
const BATCH: usize = 1000;

/// The watch of an [`super::EmbeddedStore`]; needs a tokio runtime with a timer.
pub struct EmbeddedWatch {
    shared: Arc<Shared>,
    range: KeyRange,
    after: Revision,
}

impl EmbeddedWatch {
    pub(super) const fn new(shared: Arc<Shared>, range: KeyRange, after: Revision) -> Self {
        Self {
            shared,
            range,
            after,
        }
    }

    /// Fails when changes after [`Self::after`] have left the log.
    pub(super) fn check_kept(&self) -> Result<(), StoreError> {
        self.look().map(|_found| ())
    }

    /// The changes since the last look, and up to where was looked.
    fn look(&self) -> Result<(Vec<Event>, Revision), StoreError> {
        let log = self.shared.tables.log;
        let looked = || {
            let txn = self.shared.reading()?;
            let newest = log::revision(log, &txn)?;
            if newest <= self.after {
                return Ok(Some((Vec::new(), self.after)));
            }
            if log::oldest(log, &txn)?.is_none_or(|oldest| oldest.0 > self.after.0 + 1) {
                return Ok(None);
            }
            log::changes(log, &txn, &self.range, self.after, BATCH).map(Some)
        };
        looked()
            .map_err(|error| self.shared.failed(error))?
            .ok_or_else(|| StoreError::Compacted {
                store: self.shared.name(),
            })
    }
}

impl fmt::Debug for EmbeddedWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shared: _,
            range,
            after,
        } = self;
        f.debug_struct("EmbeddedWatch")
            .field("range", range)
            .field("after", after)
            .finish_non_exhaustive()
    }
}

impl Watch for EmbeddedWatch {
    async fn next(&mut self) -> Result<Vec<Event>, StoreError> {
        loop {
            let (found, seen) = self.look()?;
            self.after = seen;
            if !found.is_empty() {
                return Ok(found);
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}
