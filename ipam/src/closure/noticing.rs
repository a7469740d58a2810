//! Whether the store is older than what a node has seen of it. Pure.
//!
//! Three things tell. The store's lineage, where it changes (etcd restored with the same peer URLs
//! and token keeps its cluster id). Its revision, which a restore sets back, unless it is bumped or
//! others wrote on until it had passed the old one. And a *witness*: an attachment that this node
//! made and did not delete; a store that does not have it has lost it, or somebody released it,
//! which is told apart by what its address's record remembers.

use std::fmt;

use berth_store::{Lineage, LineageSeen, Revision};
use berth_types::{AddressRecord, AttachmentId, REMEMBERED_HOLDERS};

/// What a node remembers of its store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Which store it was; `None` where that was never written down.
    pub lineage: Option<Lineage>,
    /// The highest revision it showed.
    pub revision: Revision,
    /// The node's newest live attachment.
    pub witness: Option<Witness>,
}

/// An attachment that the store must still have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Which.
    pub attachment: AttachmentId,
    /// The revision that wrote it, and its address with it.
    pub revision: Revision,
}

/// What the store shows, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Whose answers came.
    pub lineage: LineageSeen,
    /// Its revision.
    pub revision: Revision,
    /// The revision of the witness's attachment; [`Revision::ABSENT`] when it has none. Of no
    /// meaning without a witness, as the two that follow.
    pub attachment: Revision,
    /// The record of the witness's address; `None` when it has none. One that cannot be read is
    /// to be left out together with the witness.
    pub address: Option<(Revision, AddressRecord)>,
    /// The revision of the pool's record; [`Revision::ABSENT`] when it has none.
    pub pool: Revision,
}

/// What follows from the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The store has what it must have.
    Same,
    /// The witness was released by somebody who may: stop expecting it, go on.
    Released,
    /// The store was set back or replaced: close it.
    SetBack(SetBack),
    /// Nothing says that it was: go on, and stop expecting the witness, if there was one.
    CannotTell,
}

/// How it shows that a store was set back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetBack {
    /// It is another store.
    Replaced {
        /// The one the node knows.
        known: Lineage,
        /// The one that answers.
        now: Lineage,
    },
    /// Answers come from more than one store.
    Mixed,
    /// Its revision is lower than one it showed before.
    Lower {
        /// The highest the node has seen.
        seen: Revision,
        /// The store's.
        now: Revision,
    },
    /// It has forgotten a live attachment of the node.
    Forgotten(Witness),
}

impl From<SetBack> for Verdict {
    fn from(how: SetBack) -> Self {
        Self::SetBack(how)
    }
}

/// The reason that the closing record gives.
impl fmt::Display for SetBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replaced { known, now } => {
                write!(
                    f,
                    "the store is {now}, not {known}: it was restored or replaced"
                )
            }
            Self::Mixed => f.write_str("answers come from more than one store"),
            Self::Lower { seen, now } => {
                write!(
                    f,
                    "the store is at revision {now}, after {seen} had been seen of it"
                )
            }
            Self::Forgotten(Witness {
                attachment,
                revision,
            }) => write!(
                f,
                "the store has forgotten attachment {attachment}, which it had at revision {revision}"
            ),
        }
    }
}

/// Decides whether the store was set back since `known` was written down.
pub fn judge_set_back(known: &Known, present: &Present) -> Verdict {
    if let Some(how) = replaced(known, present) {
        return Verdict::SetBack(how);
    }
    if present.revision < known.revision {
        return Verdict::SetBack(SetBack::Lower {
            seen: known.revision,
            now: present.revision,
        });
    }
    match &known.witness {
        Some(witness) => judge_witness(witness, present),
        None => Verdict::CannotTell,
    }
}

fn replaced(known: &Known, present: &Present) -> Option<SetBack> {
    match (&known.lineage, &present.lineage) {
        (_, LineageSeen::Several) => Some(SetBack::Mixed),
        (Some(known), LineageSeen::One(now)) if known != now => Some(SetBack::Replaced {
            known: known.clone(),
            now: now.clone(),
        }),
        _ => None,
    }
}

fn judge_witness(witness: &Witness, present: &Present) -> Verdict {
    let Witness {
        attachment,
        revision,
    } = witness;
    let forgotten = || Verdict::SetBack(SetBack::Forgotten(witness.clone()));
    // Written by the node itself, which then has a newer witness.
    if present.attachment >= *revision {
        return Verdict::Same;
    }
    match &present.address {
        // A key's revision only grows while the key is there, and it was written with the witness.
        Some((at, _)) if at < revision => forgotten(),
        // Pools go, with the records of their addresses, only when nothing of them is held.
        _ if present.pool > *revision || present.pool == Revision::ABSENT => Verdict::CannotTell,
        None => forgotten(),
        Some((at, record)) if at > revision => match remembers(record, attachment) {
            Some(true) => Verdict::Released,
            Some(false) => forgotten(),
            None => Verdict::CannotTell,
        },
        // The very record of that moment, its attachment taken out by hand.
        Some(_) => Verdict::CannotTell,
    }
}

/// Whether the record shows that the attachment had the address; `None` when it has had so many
/// holders that it cannot say.
fn remembers(record: &AddressRecord, attachment: &AttachmentId) -> Option<bool> {
    let holder = record.holder.iter().map(|holder| &holder.attachment);
    let before = record.previous.iter().map(|previous| &previous.attachment);
    if holder.chain(before).any(|id| id == attachment) {
        return Some(true);
    }
    (record.previous.len() < REMEMBERED_HOLDERS).then_some(false)
}
