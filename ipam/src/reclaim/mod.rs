//! Addresses that no live container holds are found and freed; one that a live container holds
//! never is.
//!
//! Observe: [`Allocations::read`], and only then pods and nodes, as [`Evidence`]. Decide:
//! [`decide()`], pure. Apply: [`Candidate::commit`], one guarded transaction per attachment. The
//! rules, numbered as in the tests:
//!
//! 1. Allocations are read before pods and nodes; a decision on the reverse is refused.
//! 2. Who holds an address is a pod's uid and a sandbox, never a name.
//! 3. Only the node itself, or its proven death, proves that something is gone. A pod that the API
//!    does not show is not proof, and addresses in a pod's status are not even read.
//! 4. What cannot be told is alive.
//! 5. Two looks a grace apart must agree, and the second is no more than two minutes old when acted on.
//! 6. One transaction guards on the revisions of the addresses and of the attachment.
//! 7. What was not seen unchanged for ten minutes is too young.
//! 8. A pass stops at a pool of which evidence from outside would free too much at once.
//! 9. Addresses are compared as numbers.
//! 10. Each address is decided by itself.
//! 11. A reserved address is given up only by its own node's word, by whoever has a right to it and
//!     waits, or by an operator; it stays reserved.
//! 12. What changed meanwhile is skipped, never tried again in the same pass.
//! 13. A list of pods speaks for what it covers, and an empty one from the API for nothing.

mod admit;
mod allocations;
mod commit;
mod decide;
mod evidence;
mod observations;
#[cfg(test)]
mod tests;
mod verdict;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use admit::Refused;
pub use allocations::Allocations;
pub use commit::{Committed, Skipped};
pub use decide::{Decision, decide};
pub use evidence::{
    Coverage, Death, DeathProof, Evidence, NodeView, PodList, PodPhase, PodSeen, PodSource,
};
pub use observations::Observations;
pub use verdict::{Candidate, Class, Gone, Pending, Stopped, Unclear, Verdict};

/// A moment on one observer's clock that only goes forward, in milliseconds since its boot.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// How long before this moment `earlier` was; nothing when it was not before.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// What a pass goes by. The default is what the design says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far apart two looks must be that find the same gone. At least a second counts.
    pub grace: Duration,
    /// How long records must have been seen unchanged.
    pub young: Duration,
    /// How many addresses of a pool a pass may free on evidence from outside, whatever its size.
    pub always: u64,
    /// How many of a hundred addresses of a pool, where that is more.
    pub percent: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            grace: Duration::from_mins(1),
            young: Duration::from_mins(10),
            always: 64,
            percent: 5,
        }
    }
}
