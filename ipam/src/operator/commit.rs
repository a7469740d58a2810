//! Making a release: one transaction on everything it rests on.

use berth_store::{Compare, Outcome, Revision, Store, StoreError, Txn, Write};
use berth_types::{AttachmentRecord, NodeId, Record as _, keys};
use jiff::Timestamp;

use super::{Committed, Release};
use crate::history::{Change, What};

impl Release {
    /// Makes the release if addresses and attachment are as they were seen.
    ///
    /// The attachment's record loses the addresses, and goes with the last of them. The addresses
    /// keep reservation and history; a wish for one of them is granted and goes.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::OutcomeUnknown`] it may or may not have been made.
    pub async fn commit(
        &self,
        store: &impl Store,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        Ok(match store.commit(&self.txn(now)).await? {
            Outcome::Committed(revision) => Committed::Released(revision),
            Outcome::Refused(_) => Committed::Changed,
        })
    }

    /// The machine that made the attachment; `None` where its record is gone.
    pub fn made_by(&self) -> Option<&NodeId> {
        self.attached.as_ref().map(|(_, record)| &record.node_id)
    }

    /// What the node's log says of this release once it is made, at `revision`.
    pub fn changes(&self, revision: Revision, now: Timestamp) -> impl Iterator<Item = Change> {
        self.addresses.iter().map(move |held| {
            let address = (held.address, &held.record.pool);
            Change::new(What::TakenAway, address, &held.holder, revision, now)
        })
    }

    pub(super) fn txn(&self, now: Timestamp) -> Txn {
        let attachment = keys::attachment(&self.attachment);
        let attached_at = self
            .attached
            .as_ref()
            .map_or(Revision::ABSENT, |(at, _)| *at);
        let mut compares = vec![Compare::at(attachment.as_str(), attached_at)];
        let mut writes = Vec::new();
        for held in &self.addresses {
            let key = keys::address(held.address);
            compares.push(Compare::at(key.as_str(), held.revision));
            writes.push(Write::put(key, held.record.released(now).encode()));
            // Whoever waits for it takes it at its next try.
            writes.push(Write::delete(keys::wanted(held.address)));
        }
        writes.extend(self.attached.as_ref().and_then(|(_, record)| {
            let left = self.left_of(record)?;
            Some(match left.addresses.as_slice() {
                [] => Write::delete(attachment),
                _ => Write::put(attachment, left.encode()),
            })
        }));
        Txn {
            compares,
            writes,
            otherwise: Vec::new(),
        }
    }

    /// The attachment's record without the addresses; `None` when it names none of them.
    fn left_of(&self, record: &AttachmentRecord) -> Option<AttachmentRecord> {
        let mut left = record.clone();
        left.addresses
            .retain(|address| self.addresses.iter().all(|h| h.address != *address));
        (left.addresses.len() < record.addresses.len()).then_some(left)
    }
}
