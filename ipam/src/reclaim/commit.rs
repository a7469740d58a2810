//! Freeing what was decided on, if nothing of it changed since.

use std::net::IpAddr;
use std::time::Duration;

use berth_store::{Compare, Outcome, Revision, Store, StoreError, Txn, Write};
use berth_types::{AddressRecord, AttachmentRecord, Record as _, keys};
use jiff::Timestamp;

use super::{Candidate, Monotonic};
use crate::history::{Change, What};

/// How old evidence may be when it is acted on.
const FRESH: Duration = Duration::from_mins(2);

/// How a candidate ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Its addresses are free since this revision.
    Freed(Revision),
    /// Nothing was done; the next pass sees it again.
    Skipped(Skipped),
}

/// Why a candidate was left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// Something it rests on changed, or the store was closed.
    Changed,
    /// What it rests on was looked at more than two minutes ago.
    TooOld,
}

impl Candidate {
    /// Frees the addresses if they and the attachment are as they were decided on.
    ///
    /// They keep their reservation and their history, and are marked when it is not their own node
    /// that says so. Wishes for them are granted: removed with them. The attachment loses them, and
    /// goes with the last. `now` is by the observer's clock, `wall` is written down.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::OutcomeUnknown`] it may or may not have been made, and
    /// the next pass sees which.
    pub async fn commit(
        &self,
        store: &impl Store,
        now: Monotonic,
        wall: Timestamp,
    ) -> Result<Committed, StoreError> {
        if now < self.looked || now.since(self.looked) > FRESH {
            return Ok(Committed::Skipped(Skipped::TooOld));
        }
        Ok(match store.commit(&self.txn(wall)).await? {
            Outcome::Committed(revision) => Committed::Freed(revision),
            Outcome::Refused(_) => Committed::Skipped(Skipped::Changed),
        })
    }

    /// The record of one of its addresses once it is free.
    pub fn freed(&self, record: &AddressRecord, wall: Timestamp) -> AddressRecord {
        AddressRecord {
            unproven: record.unproven || self.unproven(),
            ..record.released(wall)
        }
    }

    /// What a node's log says of it, once it is made at `revision`.
    pub fn changes(&self, revision: Revision, wall: Timestamp) -> Vec<Change> {
        let addresses = self.addresses.iter();
        let changes = addresses.filter_map(|(address, _, record)| {
            let of = (*address, &record.pool);
            let holder = record.holder.as_ref()?;
            Some(Change::new(What::Reclaimed, of, holder, revision, wall))
        });
        changes.collect()
    }

    fn txn(&self, wall: Timestamp) -> Txn {
        let attachment = keys::attachment(&self.attachment);
        let mut compares = vec![
            Compare::absent(keys::CLOSED),
            Compare::at(attachment.as_str(), self.attached.0),
        ];
        let left = self.left();
        let mut writes = vec![if left.addresses.is_empty() {
            Write::delete(attachment)
        } else {
            Write::put(attachment, left.encode())
        }];
        for (address, revision, record) in &self.addresses {
            let key = keys::address(*address);
            compares.push(Compare::at(key.as_str(), *revision));
            writes.push(Write::put(key, self.freed(record, wall).encode()));
            writes.push(Write::delete(keys::wanted(*address)));
        }
        Txn {
            compares,
            writes,
            otherwise: Vec::new(),
        }
    }

    /// The attachment's record without the addresses.
    fn left(&self) -> AttachmentRecord {
        let mut left = self.attached.1.clone();
        let freed = |address: IpAddr| self.addresses.iter().any(|(a, ..)| *a == address);
        left.addresses.retain(|a| !freed(a.to_canonical()));
        left
    }
}
