//! Undoing an ADD that failed.

use std::sync::atomic::Ordering;

use berth_ipam::fault::checkpoint;

use super::{Made, Work};
use crate::files::Locked;
use crate::spec::CniError;
use crate::verbs::detach;
use crate::verbs::source::{Life, Source};

impl Work<'_> {
    /// Undoes what was made, newest first, and says what could not be undone.
    ///
    /// The intent stays while something is left, so that DEL knows.
    pub(super) fn undo(
        &self,
        made: Made,
        source: Option<&Source<'_>>,
        locked: Locked,
        cause: CniError,
    ) -> CniError {
        let mut left = Vec::new();
        if made.linked
            && let Err(error) = detach::remove_half_made(&self.intent(), None)
        {
            left.push(error.to_string());
        }
        if left.is_empty() {
            let mut intent = self.intent();
            // A database that was never asked has nothing to remove, now or later.
            intent.port = intent
                .port
                .filter(|_| self.port_asked.load(Ordering::Relaxed));
            let removed = self.leavings().remove(Some(&intent), None);
            left.extend(removed.err().map(|error| error.to_string()));
        }
        checkpoint("add.undo.unlinked");
        // An address whose interface may still be there stays held.
        if let (true, true, Some(source)) = (made.claimed, left.is_empty(), source) {
            let released = source.release(&Life::of_intent(&self.intent()), &locked);
            left.extend(released.err().map(|error| error.to_string()));
        }
        checkpoint("add.undo.released");
        if left.is_empty() {
            // While nothing was released, an earlier life's record says what it still holds.
            let forgotten = if made.claimed {
                locked.remove_record()
            } else {
                Ok(())
            };
            let forgotten = forgotten.and_then(|()| locked.finish());
            left.extend(forgotten.err().map(|error| error.to_string()));
        }
        if left.is_empty() {
            cause
        } else {
            cause.details(format!("left behind: {}", left.join("; ")))
        }
    }
}
