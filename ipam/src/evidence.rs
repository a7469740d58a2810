//! What only the caller can find out: about its own node, and about the wire.
//!
//! The wire is asked after the claim, from the container's own interface. An address that is to be
//! asked for is given on condition: its record says that it is unproven until
//! [`Ipam::note_wire`](crate::Ipam::note_wire) tells what was heard, so that a caller that dies in
//! between leaves it as doubtful as it was.

use std::fmt::Debug;

use berth_types::{AttachmentId, Incarnation, NetnsRef};

/// What became of an earlier sandbox on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its interface is removed, or its namespace is proven gone.
    Gone,
    /// It may still be there.
    Stands {
        /// Why it could not be ended, in a sentence.
        reason: String,
    },
}

/// For which addresses the caller asks the wire before it uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probing {
    /// For none: it cannot, so no doubtful address is given to it.
    Nothing,
    /// For those that are marked as unproven.
    Unproven,
    /// For those, and for fixed ones that somebody waited for until another said that their holder
    /// is gone.
    Takeovers,
}

/// The caller's eyes and hands. Called only where a fixed or doubtful address changes hands, never
/// in the common case.
pub trait Evidence: Debug + Send + Sync {
    /// Ends the interface of an earlier sandbox of the same pod on this node.
    ///
    /// `netns` is where the store says that it was.
    fn end_sandbox(
        &self,
        earlier: &AttachmentId,
        incarnation: &Incarnation,
        netns: Option<&NetnsRef>,
    ) -> Ended;

    /// For which addresses it asks the wire, once it has them and before it uses them.
    fn probing(&self) -> Probing;
}

/// Of a caller that can find out nothing: no sandbox is ended, no doubtful address given.
#[derive(Clone, Copy, Debug)]
pub struct NoEvidence;

impl Evidence for NoEvidence {
    fn end_sandbox(&self, _: &AttachmentId, _: &Incarnation, _: Option<&NetnsRef>) -> Ended {
        Ended::Stands {
            reason: "nobody here can look at its interface".to_owned(),
        }
    }

    fn probing(&self) -> Probing {
        Probing::Nothing
    }
}
