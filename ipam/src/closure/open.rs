//! Opening the store again.

use berth_store::{Compare, KeyRange, Outcome, Revision, Store, Txn, Write};
use berth_types::{ClosedRecord, keys};

use super::{ClosureError, View};

/// An opening that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The closure it ends.
    pub closed: ClosedRecord,
    closed_at: Revision,
    seen_at: Revision,
}

/// Decides whether the store may be opened. Pure.
///
/// # Errors
/// [`ClosureError::NotClosed`], [`ClosureError::Missing`]; [`ClosureError::Record`] for a closure
/// that cannot be read.
pub fn opening(view: &View) -> Result<Opening, ClosureError> {
    let (closed_at, closed) = view.closed.clone().ok_or(ClosureError::NotClosed)?;
    let closed = closed?;
    match view.missing() {
        missing if missing.is_empty() => Ok(Opening {
            closed,
            closed_at,
            seen_at: view.revision,
        }),
        missing => Err(ClosureError::Missing(missing)),
    }
}

impl Opening {
    /// Opens the store, if nothing changed since it was looked at.
    ///
    /// # Errors
    /// [`ClosureError::Changed`] when the closure is another, or a node or attachment was written
    /// meanwhile; [`ClosureError::Store`].
    pub async fn commit(&self, store: &impl Store) -> Result<Revision, ClosureError> {
        match store.commit(&self.txn()).await? {
            Outcome::Committed(revision) => Ok(revision),
            Outcome::Refused(_) => Err(ClosureError::Changed),
        }
    }

    /// A node that appears shows in `nodes/` or `attachments/`. Compares of ranges, because a
    /// transaction holds no 600 compares.
    fn txn(&self) -> Txn {
        let none_newer = |prefix| Compare::NoneNewer {
            range: KeyRange::prefix(prefix),
            revision: self.seen_at,
        };
        Txn {
            compares: vec![
                Compare::at(keys::CLOSED, self.closed_at),
                none_newer(keys::NODES),
                none_newer(keys::ATTACHMENTS),
            ],
            writes: vec![Write::delete(keys::CLOSED)],
            otherwise: Vec::new(),
        }
    }
}
