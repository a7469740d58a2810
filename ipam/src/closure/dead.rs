//! A node that will never answer.

use berth_store::{Compare, Outcome, Revision, Store, Txn, Write};
use berth_types::{
    Answered, ClosedRecord, NodeAnswer, NodeId, NodeName, NodeRecord, Record as _, SchemaVersion,
    keys,
};

use super::{ClosureError, View};

/// A node to be declared dead for the standing closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Which.
    pub node: NodeName,
    /// The closure.
    pub closed: ClosedRecord,
    /// How many attachments the store has of it; they stay held.
    pub attachments: usize,
    record: NodeRecord,
    node_at: Revision,
    closed_at: Revision,
}

/// Decides what declaring `node` dead writes. Pure; `unknown` stands for a machine of which the
/// store has no id: it is nobody's, so that one which comes back has to adopt its name first.
///
/// # Errors
/// [`ClosureError::NotClosed`], [`ClosureError::NoSuchNode`], [`ClosureError::Record`].
pub fn declare_dead(view: &View, node: &NodeName, unknown: &NodeId) -> Result<Death, ClosureError> {
    let (closed_at, closed) = view.closed.clone().ok_or(ClosureError::NotClosed)?;
    let closed = closed?;
    let known = view.nodes.get(node);
    let known = known.ok_or_else(|| ClosureError::NoSuchNode(node.clone()))?;
    let (node_at, former) = match known.record.clone() {
        Some((at, record)) => (at, Some(record?)),
        None => (Revision::ABSENT, None),
    };
    let nameless = || NodeRecord {
        v: SchemaVersion,
        node_id: known.made_by.first().unwrap_or(unknown).clone(),
        machine_id: String::new(),
        boot_id: String::new(),
        upkeep: None,
        answered: None,
    };
    let answered = Answered {
        closure: closed.id.clone(),
        how: NodeAnswer::Dead,
    };
    Ok(Death {
        node: node.clone(),
        attachments: known.attachments,
        record: NodeRecord {
            answered: Some(answered),
            ..former.unwrap_or_else(nameless)
        },
        closed,
        node_at,
        closed_at,
    })
}

impl Death {
    /// Writes it down, if closure and node are as they were looked at.
    ///
    /// # Errors
    /// [`ClosureError::Changed`], [`ClosureError::Store`].
    pub async fn commit(&self, store: &impl Store) -> Result<Revision, ClosureError> {
        let key = keys::node(&self.node);
        let txn = Txn {
            compares: vec![
                Compare::at(keys::CLOSED, self.closed_at),
                Compare::at(key.as_str(), self.node_at),
            ],
            writes: vec![Write::put(key, self.record.encode())],
            otherwise: Vec::new(),
        };
        match store.commit(&txn).await? {
            Outcome::Committed(revision) => Ok(revision),
            Outcome::Refused(_) => Err(ClosureError::Changed),
        }
    }
}
