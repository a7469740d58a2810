//! The node's answer to a closure.

use std::fs;
use std::io;
use std::path::Path;

use berth_store::{Compare, Outcome, Read, Revision, Store, StoreError, Txn, Write};
use berth_types::{Answered, NodeAnswer, NodeRecord, Record as _, keys};

use super::{Basis, RepublishError};
use crate::NodeIdentity;
use crate::node::{Standing, judge};
use crate::record::parse;

/// How often the answer is written anew because the node's record changed.
const ATTEMPTS: u32 = 10;

/// A node that is asked for an answer.
pub(super) struct Asked<'a> {
    node: &'a NodeIdentity,
    basis: &'a Basis,
}

impl<'a> Asked<'a> {
    /// Makes sure that this machine may answer for the name.
    ///
    /// # Errors
    /// [`RepublishError::Anothers`], [`RepublishError::Record`], [`RepublishError::Store`].
    pub(super) async fn read(
        store: &impl Store,
        node: &'a NodeIdentity,
        basis: &'a Basis,
    ) -> Result<Self, RepublishError> {
        let asked = Self { node, basis };
        asked.record(store).await?;
        Ok(asked)
    }

    /// Writes that all was published. May be repeated.
    ///
    /// # Errors
    /// [`RepublishError::ClosureChanged`], [`RepublishError::Contended`] and those of
    /// [`Asked::read`].
    pub(super) async fn answer(&self, store: &impl Store) -> Result<(), RepublishError> {
        let Basis { closed_at, closure } = self.basis;
        let key = keys::node(&self.node.name);
        for _ in 0..ATTEMPTS {
            let (at, record) = self.record(store).await?;
            let answered = NodeRecord {
                answered: Some(Answered {
                    closure: closure.clone(),
                    how: NodeAnswer::Republished,
                }),
                ..record
            };
            let txn = Txn {
                compares: vec![
                    Compare::at(keys::CLOSED, *closed_at),
                    Compare::at(key.as_str(), at),
                ],
                writes: vec![Write::put(key.as_str(), answered.encode())],
                otherwise: vec![Read::Get(keys::CLOSED.into())],
            };
            match store.commit(&txn).await {
                Ok(Outcome::Committed(_)) => return Ok(()),
                Ok(Outcome::Refused(answer)) => {
                    if !self.basis.stands(&answer) {
                        return Err(RepublishError::ClosureChanged);
                    }
                }
                Err(StoreError::OutcomeUnknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RepublishError::Contended(format!(
            "node {}",
            self.node.name
        )))
    }

    /// The node's record as it is to be but for the answer, and the revision it rests on.
    async fn record(&self, store: &impl Store) -> Result<(Revision, NodeRecord), RepublishError> {
        let key = keys::node(&self.node.name);
        let answer = store.read(&[Read::Get(key.into())]).await?;
        let found = parse::<NodeRecord>(&answer, 0)?;
        let record = found.as_ref().map(|(_, record)| record);
        match (judge(record, self.node), found) {
            (Standing::Anothers(anothers), _) => Err(anothers.into()),
            (_, Some((at, record))) => Ok((at, self.node.refreshed(&record))),
            (_, None) => Ok((Revision::ABSENT, self.node.record())),
        }
    }
}

/// Forgets all that the node believed of the store, its highest revision and witnesses included.
///
/// Before the answer: a node that has answered must not find the same store set back again.
///
/// # Errors
/// [`RepublishError::Disk`].
pub(super) fn forget(hints: &Path) -> Result<(), RepublishError> {
    match fs::remove_dir_all(hints) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RepublishError::Disk {
            path: hints.to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}
