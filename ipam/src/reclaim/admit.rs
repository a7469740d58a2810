//! Whether anything may be decided on what was read at all. Pure.

use berth_store::Revision;

use super::{Allocations, Evidence, Monotonic, Observations, PodSource};

/// A pass that must decide nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// What was looked at first may lack what was allocated since.
    #[error("{what} was read at {begun} ms, before the allocations at {finished} ms",
            begun = .begun.0, finished = .finished.0)]
    ReadTooEarly {
        /// The pods, or a node.
        what: String,
        /// When its reading began.
        begun: Monotonic,
        /// When the allocations were there.
        finished: Monotonic,
    },
    /// The decision's time is before what it is decided on.
    #[error("the decision's time, {now} ms, is before {what}", now = .now.0)]
    Backwards {
        /// What is later.
        what: String,
        /// The time given.
        now: Monotonic,
    },
    /// The API answered without any pod.
    #[error("the API shows no pod at all")]
    NoPods,
    /// The store is older than what this observer saw of it.
    #[error("the store is at revision {now}, but revision {seen} of it was seen")]
    SetBack {
        /// The highest revision seen.
        seen: Revision,
        /// The store's.
        now: Revision,
    },
    /// The store is closed: its records may not be true.
    #[error("the store is closed for allocation, so its records may be out of date")]
    Closed,
}

impl Refused {
    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::ReadTooEarly { .. } | Self::Backwards { .. } => {
                "read the allocations first, then pods and nodes, then the clock; please report this"
            }
            Self::NoPods => {
                "check that the credentials may list pods in all namespaces, and that this is the right cluster"
            }
            Self::SetBack { .. } => {
                "close the store with `cnictl store close`, and follow the runbook for a store that was restored"
            }
            Self::Closed => "see `cnictl store status`; reclaim goes on when the store is open",
        }
    }
}

/// Whether this may be decided on at all; then when the oldest piece of evidence was looked at.
pub(super) fn admit(
    allocations: &Allocations,
    evidence: &Evidence,
    earlier: &Observations,
    now: Monotonic,
) -> Result<Monotonic, Refused> {
    let looked = order(allocations.finished, evidence, earlier.last, now)?;
    let empty = evidence.pods.as_ref().filter(|list| list.is_empty());
    if empty.is_some_and(|list| list.source == PodSource::Api) {
        return Err(Refused::NoPods);
    }
    if allocations.closed {
        return Err(Refused::Closed);
    }
    if allocations.revision < earlier.high {
        return Err(Refused::SetBack {
            seen: earlier.high,
            now: allocations.revision,
        });
    }
    Ok(looked)
}

/// Allocations first, then all evidence, then the decision.
fn order(
    finished: Monotonic,
    evidence: &Evidence,
    last: Monotonic,
    now: Monotonic,
) -> Result<Monotonic, Refused> {
    let Evidence { pods, nodes, dead } = evidence;
    let pods = pods
        .iter()
        .map(|list| ("the list of pods".to_owned(), list.begun));
    let nodes = nodes
        .iter()
        .map(|(name, view)| (format!("node {name}"), view.begun));
    let dead = dead
        .iter()
        .map(|(name, death)| (format!("the death of {name}"), death.begun));
    let mut oldest = now;
    for (what, begun) in pods.chain(nodes).chain(dead) {
        if begun < finished {
            return Err(Refused::ReadTooEarly {
                what,
                begun,
                finished,
            });
        }
        if begun > now {
            return Err(Refused::Backwards { what, now });
        }
        oldest = oldest.min(begun);
    }
    if now < finished || now < last {
        let what = "the look at the allocations".to_owned();
        return Err(Refused::Backwards { what, now });
    }
    Ok(oldest)
}
