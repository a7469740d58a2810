//! What only the caller can find out: about its own node, and about the wire.

use std::fmt::Debug;
use std::net::IpAddr;

use berth_types::{AttachmentId, Incarnation, MacAddr, NetnsRef, VlanId};

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

/// Who answers for an address on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnWire {
    /// Nobody does.
    Silent,
    /// An interface with that hardware address does.
    Answered(MacAddr),
    /// The caller cannot look.
    Unchecked,
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

    /// Asks on the wire for `address`, in that VLAN where the pool names one.
    fn on_wire(&self, address: IpAddr, vlan: Option<VlanId>) -> OnWire;
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

    fn on_wire(&self, _: IpAddr, _: Option<VlanId>) -> OnWire {
        OnWire::Unchecked
    }
}
