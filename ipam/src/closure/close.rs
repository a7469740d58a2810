//! Closing the store for allocation.

use berth_store::{Compare, Outcome, Read, Revision, Store, StoreError, Txn, Write};
use berth_types::{ClosedRecord, ClosureId, NodeName, Record as _, SchemaVersion, keys};
use jiff::Timestamp;

use super::ClosureError;
use crate::record::parse;

/// How often a closing whose outcome is unknown is sent again.
const ATTEMPTS: u32 = 5;

/// Why the store is to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A sentence for people.
    pub reason: String,
    /// The node that noticed; `None` for an operator.
    pub noticed_by: Option<NodeName>,
}

/// A store that is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It was closed by this call.
    Closed(Revision, ClosedRecord),
    /// It had been closed before, and stays so for that reason.
    Standing(Revision, ClosedRecord),
}

/// Closes the store for allocation, unless it is closed: then the standing closure stays.
///
/// `random` draws the closure's id. Any number of nodes may do this at once: one closes it, all
/// learn the same closure.
///
/// # Errors
/// [`ClosureError::Store`]; [`ClosureError::Record`] when it is closed by a record that cannot be
/// read.
pub async fn close(
    store: &impl Store,
    notice: &Notice,
    random: [u8; 16],
    now: Timestamp,
) -> Result<Closing, ClosureError> {
    let Notice { reason, noticed_by } = notice;
    let record = ClosedRecord {
        v: SchemaVersion,
        id: ClosureId::from_random(random),
        reason: reason.clone(),
        noticed_by: noticed_by.clone(),
        since: now,
    };
    let txn = Txn {
        compares: vec![Compare::absent(keys::CLOSED)],
        writes: vec![Write::put(keys::CLOSED, record.encode())],
        otherwise: vec![Read::Get(keys::CLOSED.into())],
    };
    match commit(store, &txn).await? {
        Outcome::Committed(revision) => Ok(Closing::Closed(revision, record)),
        Outcome::Refused(answer) => match parse::<ClosedRecord>(&answer, 0)? {
            // Sent twice, because the first answer was lost.
            Some((revision, standing)) if standing.id == record.id => {
                Ok(Closing::Closed(revision, standing))
            }
            Some((revision, standing)) => Ok(Closing::Standing(revision, standing)),
            // It was there to refuse, and refusal and reading are one moment.
            None => Err(ClosureError::Changed),
        },
    }
}

/// Sends the very same transaction again while its outcome is unknown: its compare decides.
async fn commit(store: &impl Store, txn: &Txn) -> Result<Outcome, StoreError> {
    for _ in 1..ATTEMPTS {
        match store.commit(txn).await {
            Err(StoreError::OutcomeUnknown { .. }) => {}
            decided => return decided,
        }
    }
    store.commit(txn).await
}
