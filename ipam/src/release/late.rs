//! Transactions that may still arrive after their sender's death, and what is put in their way.

use berth_store::{Compare, Outcome, Read, Revision, Store, Txn, Write};
use berth_types::{AttachmentId, AttachmentRecord, Incarnation, Phase, keys};
use jiff::Timestamp;

use super::journal::{Note, Task, is_sweep, read_note};
use crate::clock::uptime_ms;
use crate::record::parse;
use crate::{Ipam, IpamError};

/// How long a transaction whose sender died may still be under way, in seconds of uptime.
///
/// Far above the deadline that goes with every request to the store.
const LATE_FOR_S: u64 = 300;

impl<S: Store> Ipam<S> {
    /// Notes that the claim of `incarnation`, whose ADD was killed, may still arrive at the store.
    ///
    /// While it may, a release of the attachment, of whichever life, leaves a record in its way;
    /// [`Ipam::drain`] removes that record later. For an ADD that follows the killed one under the
    /// same id and is about to forget it. Nothing to do where the store makes no such transaction.
    ///
    /// # Errors
    /// [`IpamError::JournalFull`], [`IpamError::Disk`].
    pub fn expect_late(
        &self,
        id: &AttachmentId,
        incarnation: &Incarnation,
        now: Timestamp,
    ) -> Result<(), IpamError> {
        if !self.store.outlives_sender() {
            return Ok(());
        }
        let already = self.late(id)?.any(|expected| expected == *incarnation);
        if already {
            return Ok(());
        }
        let task = Task::Sweep {
            incarnation: incarnation.clone(),
            boot_id: self.node.boot_id.clone(),
            due_ms: uptime_ms() + LATE_FOR_S * 1000,
        };
        self.note(id, task, now)
    }

    /// Whether a transaction of some life of `id` may still arrive.
    pub(super) fn expects_late(&self, id: &AttachmentId) -> Result<bool, IpamError> {
        Ok(self.store.outlives_sender() && self.late(id)?.next().is_some())
    }

    /// The lives of `id` whose transactions may still arrive.
    fn late(&self, id: &AttachmentId) -> Result<impl Iterator<Item = Incarnation>, IpamError> {
        let notes = self.notes()?.into_iter().filter(|path| is_sweep(path));
        Ok(notes.filter_map(move |path| {
            let Note {
                v: _,
                store,
                attachment,
                task,
            } = read_note(&path).ok().flatten()?;
            let ours = attachment == *id && self.is_named(&store);
            match task {
                Task::Sweep {
                    incarnation,
                    boot_id,
                    due_ms,
                } if ours && !self.is_due(&boot_id, due_ms) => Some(incarnation),
                _ => None,
            }
        }))
    }

    /// Whether what was under way then has arrived by now, or never will.
    pub(super) fn is_due(&self, boot_id: &str, due_ms: u64) -> bool {
        boot_id != self.node.boot_id || uptime_ms() >= due_ms
    }

    /// Removes the record that stands in the way of late transactions of `id`, unless there is
    /// another that may still arrive: then what removes it is noted as well.
    pub(super) async fn sweep(&self, id: &AttachmentId) -> Result<(), IpamError> {
        if self.expects_late(id)? {
            return Ok(());
        }
        let key = keys::attachment(id);
        let answer = self.store.read(&[Read::Get(key.as_str().into())]).await?;
        let found: Option<(Revision, AttachmentRecord)> = parse(&answer, 0)?;
        let Some((revision, record)) = found else {
            return Ok(());
        };
        if record.phase != Phase::Deleted {
            return Ok(());
        }
        let txn = Txn {
            compares: vec![Compare::at(key.as_str(), revision)],
            writes: vec![Write::delete(key)],
            otherwise: Vec::new(),
        };
        match self.store.commit(&txn).await? {
            // Refused: a new life has replaced it.
            Outcome::Committed(_) | Outcome::Refused(_) => Ok(()),
        }
    }
}
