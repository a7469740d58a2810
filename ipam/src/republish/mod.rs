//! A node writes into a store that was set back what really lives on it.
//!
//! What counts is the interfaces that stand: the node's record files whose network namespace still
//! exists. For each, address records and attachment are written as the node remembers them, merged
//! with what the store has, in one transaction guarded by the revisions that were read and by the
//! closure. An address that the store gives to somebody else is reported, never overwritten, unless
//! that somebody is an attachment of this very machine whose namespace is proven gone.
//!
//! Everything may be repeated: after a kill, run it again. What a killed *ADD* left (an intent)
//! may be an interface with an address that nobody wrote down here; the node has no answer while
//! one stands whose namespace lives, and none while an ADD or DEL is at work. *Releases that wait*
//! on disk are made first: their containers are gone, and made later they would be judged by
//! revisions of a store that is no more. What this machine remembered of the store is forgotten
//! with the answer, so that it does not find the same store set back again. A node that was declared
//! dead and comes back does the same in the open store: every write is guarded all the same.

mod answer;
mod local;
mod merge;
#[cfg(test)]
mod merge_tests;
mod namespaces;
mod publish;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use berth_store::{Answer, Read, Revision, Store, StoreError};
use berth_types::{
    AttachmentId, BadRecord, ClosedRecord, ClosureId, LocalAttachment, NetworkName, NodeRecord,
    keys,
};
use jiff::Timestamp;

use crate::node::{Anothers, Standing, judge};
use crate::record::{one, parse};
use crate::{Ipam, IpamError};

use answer::Asked;
use local::Local;
pub use local::Unfinished;
pub use merge::{Conflict, Obstacle};
pub use namespaces::Namespaces;
use publish::{Ended, Publisher};
pub use publish::{Proof, Stale};

/// What to do with addresses that the store gives to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The node has not answered while there is one.
    Stay,
    /// The node has answered all the same: an operator sees to them.
    Leave,
}

/// What is to be republished.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// Where the plugin keeps its records.
    pub run_dir: &'a Path,
    /// Only attachments of these networks, where a node has networks in several stores; empty for
    /// all.
    pub networks: &'a BTreeSet<NetworkName>,
    /// What to do with addresses that the store gives to others.
    pub on_conflict: OnConflict,
}

/// What was found and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The closure that is answered; `None` when the store is open and nothing was done.
    pub closure: Option<ClosureId>,
    /// Attachments that were written.
    pub written: BTreeSet<AttachmentId>,
    /// Attachments that the store had already.
    pub standing: BTreeSet<AttachmentId>,
    /// Attachments that were not written, and what is in the way.
    pub conflicts: Vec<Conflict>,
    /// Attachments of record files whose namespace is gone: their containers' end was missed.
    pub gone: BTreeSet<AttachmentId>,
    /// Attachments that the store has of this machine, and the node has no complete interface of.
    pub stale: Vec<Stale>,
    /// ADDs and DELs that are at work or were killed.
    pub unfinished: Vec<Unfinished>,
    /// Record files that cannot be read, and why.
    pub unreadable: Vec<String>,
    /// Whether the node has answered the closure.
    pub answered: bool,
}

impl Report {
    /// Whether nothing stands in the way of the node's answer.
    fn is_complete(&self, on_conflict: OnConflict) -> bool {
        let known = self.unfinished.is_empty() && self.unreadable.is_empty();
        known && (self.conflicts.is_empty() || on_conflict == OnConflict::Leave)
    }
}

/// A republishing that could not go on. Nothing of it needs to be undone: run it again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepublishError {
    /// The store gave no decision.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The closure or the node's own record cannot be read.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// The node's name is another machine's.
    #[error(transparent)]
    Anothers(#[from] Anothers),
    /// Releases that wait could not be made.
    #[error("releases that wait on disk cannot be made")]
    Waiting(#[source] IpamError),
    /// There is no folder of records, so nothing tells what lives here.
    #[error("there is no folder {path:?}: nothing tells what lives on this node", path = .0.display().to_string())]
    NoRunDir(PathBuf),
    /// The node's own files cannot be read or written.
    #[error("{path:?}: {source}", path = .path.display().to_string())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The closure ended, or became another, meanwhile.
    #[error("the store's closure changed meanwhile")]
    ClosureChanged,
    /// Others kept writing the same records.
    #[error("the records of {0} changed at each attempt")]
    Contended(String),
}

impl RepublishError {
    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::Record(_) => {
                "look at the record; upgrade this program if a newer release wrote it"
            }
            Self::Anothers(anothers) => anothers.hint(),
            Self::Waiting(error) => error.hint(),
            Self::NoRunDir(_) => {
                "give --run-dir as \"runDir\" in the network configuration; if no container was started since this machine booted, make the folder"
            }
            Self::Disk { .. } => "check the folder's owner, mode and free space; run it as root",
            Self::ClosureChanged => {
                "look with `cnictl store status`, and run it again if it is closed"
            }
            Self::Contended(_) => "run it again",
        }
    }
}

/// What all writing rests on.
struct Basis {
    /// The revision of the key that closes the store; [`Revision::ABSENT`] when it is open, and this
    /// node was declared dead before it was opened.
    closed_at: Revision,
    /// Which closure is answered.
    closure: ClosureId,
}

impl Basis {
    /// Whether it holds, by an answer whose first read is of the key that closes the store.
    fn stands(&self, answer: &Answer) -> bool {
        let closed_at = one(answer, 0).map_or(Revision::ABSENT, |entry| entry.revision);
        closed_at == self.closed_at
    }
}

impl<S: Store> Ipam<S> {
    /// Writes what lives on this node into the store, while that is closed, or while the node counts
    /// as dead.
    ///
    /// # Errors
    /// [`RepublishError`]; run it again.
    pub async fn republish(
        &self,
        scope: &Scope<'_>,
        now: Timestamp,
    ) -> Result<Report, RepublishError> {
        let mut report = Report::default();
        let Some(basis) = self.basis().await? else {
            return Ok(report);
        };
        report.closure = Some(basis.closure.clone());
        // Every ADD makes it. Without it, a wrong path would read as a node where nothing lives.
        if !scope.run_dir.is_dir() {
            return Err(RepublishError::NoRunDir(scope.run_dir.to_owned()));
        }
        let asked = Asked::read(self.store(), self.node(), &basis).await?;
        self.drain(usize::MAX, now)
            .await
            .map_err(RepublishError::Waiting)?;
        let local = local::observe_at_rest(scope).await?;
        self.publish_all(&basis, &local, &mut report).await?;
        let Local {
            live: _,
            gone,
            unfinished,
            unreadable,
            namespaces: _,
        } = local;
        (report.gone, report.unfinished, report.unreadable) = (gone, unfinished, unreadable);
        if report.is_complete(scope.on_conflict) {
            answer::forget(&self.hints)?;
            crate::fault::checkpoint("republish.answer");
            asked.answer(self.store()).await?;
            report.answered = true;
        }
        Ok(report)
    }

    /// Writes what lives, and notes what the store has besides.
    async fn publish_all(
        &self,
        basis: &Basis,
        local: &Local,
        report: &mut Report,
    ) -> Result<(), RepublishError> {
        let publisher = Publisher::new(self, basis, local).await?;
        for attachment in &local.live {
            let id = attachment.attachment.clone();
            match publisher.publish(attachment).await? {
                Ended::Written => drop(report.written.insert(id)),
                Ended::Standing => drop(report.standing.insert(id)),
                Ended::Conflicts(found) => report.conflicts.extend(found),
            }
            crate::fault::checkpoint("republish.attachment");
        }
        report.stale = publisher.stale();
        Ok(())
    }

    /// `None` when there is nothing to answer.
    async fn basis(&self) -> Result<Option<Basis>, RepublishError> {
        let reads = [keys::CLOSED.to_owned(), keys::node(&self.node.name)];
        let reads = reads.map(|key| Read::Get(key.into()));
        let answer = self.store().read(&reads).await?;
        if let Some((closed_at, closed)) = parse::<ClosedRecord>(&answer, 0)? {
            return Ok(Some(Basis {
                closed_at,
                closure: closed.id,
            }));
        }
        let record = parse::<NodeRecord>(&answer, 1)?;
        let record = record.as_ref().map(|(_, record)| record);
        Ok(match judge(record, &self.node) {
            Standing::DeclaredDead(closure) => Some(Basis {
                closed_at: Revision::ABSENT,
                closure,
            }),
            _ => None,
        })
    }
}

/// The addresses that this store gave; another IPAM's have no record.
fn addresses_of(local: &LocalAttachment) -> impl Iterator<Item = IpAddr> {
    let given = local.addresses.iter().filter(|a| a.record.is_some());
    given.map(|address| address.cidr.ip())
}
