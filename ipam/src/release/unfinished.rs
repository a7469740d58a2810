//! Releasing what an ADD that was killed claimed, or may still be about to claim.

use berth_store::{Compare, Outcome, Read, Revision, Store, Txn, Write};
use berth_types::{
    AttachmentId, AttachmentRecord, Incarnation, Phase, Record as _, SchemaVersion, keys,
};
use jiff::Timestamp;

use super::{ATTEMPTS, Lives, Released, changing};
use crate::fault::checkpoint;
use crate::record::parse;
use crate::{Ipam, IpamError};

/// How putting a record in a transaction's way ended.
enum Barred {
    /// It stands there.
    Done,
    /// The transaction was made first, or that of another life.
    Arrived,
    /// Something else changed at the same moment.
    Changed,
}

/// What a release of an unfinished life may free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Whatever the attachment holds: a DEL is its latest word.
    Attachment,
    /// What that life claimed, and what the store had at that revision: the newest that the node
    /// knew of when the interface had gone. A release that comes late frees nothing of a later life.
    UpTo(Revision),
}

impl<S: Store> Ipam<S> {
    /// Gives up what an ADD that was killed may have claimed, or may still be about to.
    ///
    /// Where the store can make a transaction after its sender's death, a record is left in that
    /// transaction's way; [`Ipam::drain`] removes it once none can arrive any more.
    ///
    /// # Errors
    /// [`IpamError`]; the release is then still to be made.
    pub async fn release_unfinished(
        &self,
        id: &AttachmentId,
        incarnation: &Incarnation,
        scope: Scope,
        now: Timestamp,
    ) -> Result<Released, IpamError> {
        let lives = match scope {
            Scope::Attachment => Lives::Any,
            Scope::UpTo(seen) => Lives::OneOrUpTo(incarnation, seen),
        };
        let mut released = self.release_where(id, None, lives, now).await?;
        if released.is_of(incarnation) || !self.store.outlives_sender() {
            return Ok(released);
        }
        self.expect_late(id, incarnation, now)?;
        checkpoint("ipam.tombstone.before");
        for _ in 0..ATTEMPTS {
            match self.bar(id, incarnation).await? {
                Barred::Done => return Ok(released),
                // A later life that stands is in the way by itself.
                Barred::Arrived if scope != Scope::Attachment && released == Released::Nothing => {
                    released = self.release_where(id, None, lives, now).await?;
                    return Ok(released);
                }
                Barred::Arrived => {
                    released = self.release_where(id, None, lives, now).await?;
                    if released.is_of(incarnation) {
                        return Ok(released);
                    }
                }
                Barred::Changed => {}
            }
        }
        Err(changing(id))
    }

    /// Puts a record in the way of `incarnation`'s transaction.
    ///
    /// One that an earlier life left there is replaced: a transaction that came upon it compares
    /// with its revision.
    async fn bar(&self, id: &AttachmentId, incarnation: &Incarnation) -> Result<Barred, IpamError> {
        let key = keys::attachment(id);
        let answer = self.store.read(&[Read::Get(key.as_str().into())]).await?;
        let standing_at = match parse::<AttachmentRecord>(&answer, 0)? {
            None => Revision::ABSENT,
            Some((_, record)) if record.phase == Phase::Live => return Ok(Barred::Arrived),
            Some((_, record)) if record.incarnation == *incarnation => return Ok(Barred::Done),
            Some((revision, _)) => revision,
        };
        let txn = Txn {
            compares: vec![Compare::at(key.as_str(), standing_at)],
            writes: vec![Write::put(key, self.tombstone(incarnation).encode())],
            otherwise: Vec::new(),
        };
        Ok(match self.store.commit(&txn).await? {
            Outcome::Committed(_) => Barred::Done,
            Outcome::Refused(_) => Barred::Changed,
        })
    }

    pub(super) fn tombstone(&self, incarnation: &Incarnation) -> AttachmentRecord {
        AttachmentRecord {
            v: SchemaVersion,
            addresses: Vec::new(),
            pod: None,
            netns: None,
            node_id: self.node.id.clone(),
            incarnation: incarnation.clone(),
            phase: Phase::Deleted,
        }
    }
}
