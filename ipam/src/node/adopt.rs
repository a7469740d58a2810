//! An operator says that a name is this machine's from here on.

use std::collections::BTreeSet;

use berth_store::{Compare, KeyRange, Outcome, Read, Revision, Store, StoreError, Txn, Write};
use berth_types::{
    Answered, AttachmentId, AttachmentRecord, BadRecord, NodeAnswer, NodeRecord, Record as _, keys,
};

use super::{NodeIdentity, Standing, judge};
use crate::record::{decode, list, parse};

/// Why a name could not be looked at or taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The store gave no decision.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name's record must not be touched.
    #[error(transparent)]
    Record(#[from] BadRecord),
}

/// What taking the name changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The record as it is, with its revision; `None` where nobody has the name.
    pub before: Option<(Revision, NodeRecord)>,
    /// The record as it is to be; `None` where the name is this machine's already.
    pub after: Option<NodeRecord>,
    /// Attachments of that name that another machine made. They stay held: whether their containers
    /// live is for the operator to say.
    pub left_behind: BTreeSet<AttachmentId>,
    key: String,
}

/// Reads what the store has of the name and decides what taking it changes.
///
/// # Errors
/// [`AdoptError`].
pub async fn look(store: &impl Store, identity: &NodeIdentity) -> Result<Adoption, AdoptError> {
    let key = keys::node(&identity.name);
    let reads = [
        Read::Get(key.as_str().into()),
        Read::List(KeyRange::prefix(keys::attachments_of(&identity.name))),
    ];
    let answer = store.read(&reads).await?;
    let before = parse::<NodeRecord>(&answer, 0)?;
    let left_behind = list(&answer, 1).iter().filter_map(|entry| {
        let (_, record) = decode::<AttachmentRecord>(entry).ok()?;
        let id = keys::parse_attachment(&entry.key)?;
        (record.node_id != identity.id).then_some(id)
    });
    let left_behind = left_behind.collect();
    let after = match judge(before.as_ref().map(|(_, record)| record), identity) {
        Standing::Ours | Standing::DeclaredDead(_) => None,
        // An answer to a closure was the other machine's.
        Standing::Unclaimed(record) => Some(record),
        Standing::Anothers(_) => Some(NodeRecord {
            answered: before
                .as_ref()
                .and_then(|(_, record)| nobodys_death(record)),
            ..identity.record()
        }),
    };
    Ok(Adoption {
        before,
        after,
        left_behind,
        key,
    })
}

/// The death of a machine that the store knew nothing of: it may have been this one, whose
/// containers live.
fn nobodys_death(record: &NodeRecord) -> Option<Answered> {
    let unknown = record.machine_id.is_empty() && record.boot_id.is_empty();
    let dead = |answered: &Answered| answered.how == NodeAnswer::Dead;
    record
        .answered
        .clone()
        .filter(|answered| unknown && dead(answered))
}

impl Adoption {
    /// Takes the name if its record is as it was looked at; `false` when it is not, or when there
    /// is nothing to take.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::OutcomeUnknown`] it may or may not have been taken.
    pub async fn commit(&self, store: &impl Store) -> Result<bool, StoreError> {
        let Some(after) = &self.after else {
            return Ok(false);
        };
        let at = self.before.as_ref().map_or(Revision::ABSENT, |(at, _)| *at);
        let txn = Txn {
            compares: vec![Compare::at(self.key.as_str(), at)],
            writes: vec![Write::put(self.key.as_str(), after.encode())],
            otherwise: Vec::new(),
        };
        Ok(matches!(store.commit(&txn).await?, Outcome::Committed(_)))
    }
}
