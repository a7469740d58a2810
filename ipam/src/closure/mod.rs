//! A store that was set back: closed, so that nobody allocates, until every node has said what it
//! really has.
//!
//! A store restored from a backup has forgotten who holds what since. It would give addresses away
//! that live containers have. [`judge_set_back`] decides from what one node remembers whether that
//! happened; [`close()`] stops all nodes; [`crate::republish`] writes back what lives; [`opening`]
//! lets them go on.

mod close;
mod dead;
mod noticing;
#[cfg(test)]
mod noticing_tests;
mod open;
mod view;

use berth_store::StoreError;
use berth_types::{BadRecord, NodeName};

pub use close::{Closing, Notice, close};
pub use dead::{Death, declare_dead};
pub use noticing::{Known, Present, SetBack, Verdict, Witness, judge_set_back};
pub use open::{Opening, opening};
pub use view::{NodeState, NodeView, View, look};

/// A store that could not be closed, looked at or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClosureError {
    /// The store gave no decision.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record that this program must not touch.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// There is nothing to open or to answer.
    #[error("the store is not closed")]
    NotClosed,
    /// Some nodes have not said what they have.
    #[error("the store stays closed: no answer yet from {}", names(.0))]
    Missing(Vec<NodeName>),
    /// The store knows no such node.
    #[error("node {0} is not known to the store")]
    NoSuchNode(NodeName),
    /// Something it was decided from changed meanwhile.
    #[error("the store's nodes changed since they were looked at; nothing was done")]
    Changed,
}

impl ClosureError {
    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::Record(_) => {
                "look at the record; upgrade this program if a newer release wrote it"
            }
            Self::NotClosed => "nothing to do; see `cnictl store status`",
            Self::Missing(_) => {
                "run `cnictl node republish` on each of them, or `cnictl node dead NAME` for one whose containers are certainly gone"
            }
            Self::NoSuchNode(_) => "see `cnictl node list`",
            Self::Changed => "look again with `cnictl store status`, then repeat",
        }
    }
}

fn names(nodes: &[NodeName]) -> String {
    let names: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
    names.join(", ")
}
