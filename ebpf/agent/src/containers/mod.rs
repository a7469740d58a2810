//! The containers within a pod, told apart by the cgroups of their sockets; and the pods' TCP.
//!
//! A pod's interface is counted whole ([`crate`]); what of it is whose is counted by a pair of
//! programs at the *pod's* cgroup, so that nobody pays but pods with two or more containers. Bytes
//! are those from the network header on.
//!
//! ```text
//! observe: the tree of cgroups ─┐
//! cri: what the runtime says ───┼─▶ decide ─▶ apply: links, maps, slots (ledger)
//! the attachment records ───────┘
//! ```

pub mod apply;
mod apps;
pub mod cri;
pub mod decide;
mod failures;
pub mod identity;
pub mod ledger;
mod looker;
pub mod observe;
mod records;
mod run;
mod splitter;

pub use decide::Around;
pub use failures::Failures;
pub use records::records;
pub use run::{Containers, Settings, StartError};
pub use splitter::Splitter;

#[cfg(test)]
mod tests;
