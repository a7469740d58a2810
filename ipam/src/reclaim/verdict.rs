//! What a pass finds.

use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, BadRecord, PoolName, ReservationId,
};

use super::{DeathProof, Monotonic};

/// What a pass finds of one held address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The address.
    pub address: IpAddr,
    /// Its pool; none when its record cannot be read.
    pub pool: Option<PoolName>,
    /// Who holds it; none when its record cannot be read.
    pub attachment: Option<AttachmentId>,
    /// What it is.
    pub class: Class,
}

/// What a held address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Its container lives, as far as anybody knows.
    Ok,
    /// Its container is gone, and the address may be freed.
    Leaked(Gone),
    /// Its container seems gone; it is too early to say.
    Pending(Gone, Pending),
    /// Nobody can tell, so it counts as alive.
    CannotTell(Unclear),
    /// Made by other means than the API, which therefore proves nothing of it.
    NoApiOwner,
    /// Its container is gone, but a reservation is given up only by its node, for whoever has a
    /// right to it, or by an operator.
    Reserved(Gone, ReservationId),
    /// A record that must not be touched.
    Malformed(BadRecord),
}

/// How it is known that a container is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its node has no such network namespace.
    NoNamespace,
    /// Its node's runtime has no such sandbox, and no namespace was written down.
    NoSandbox,
    /// Its node was started anew since.
    EarlierBoot,
    /// Its node is dead, and the pod is gone.
    NodeDead(DeathProof),
}

impl Gone {
    /// Whether its own node says so: then nobody needs to probe before the address is used again.
    pub const fn by_own_node(self) -> bool {
        match self {
            Self::NoNamespace | Self::NoSandbox | Self::EarlierBoot => true,
            Self::NodeDead(_) => false,
        }
    }
}

/// Why it is too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// The record has not been seen unchanged for long enough.
    Young,
    /// No earlier look, a grace ago, found the same.
    OneLook,
}

/// Why nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// Its node says nothing, and is not proven dead.
    NodeAway,
    /// Another machine has its node's name.
    OtherMachine,
    /// Its node is dead, but the API still shows the pod.
    PodRemains,
    /// Its node is dead, but no list of pods covers the pod.
    NoPodList,
    /// No namespace was written down, and no runtime could be asked.
    NothingToLookFor,
    /// Its namespace's number is in use under another path.
    InodeElsewhere,
    /// It is of an earlier boot, but its runtime says that it runs.
    Contradiction,
    /// It has no attachment's record, or one of another life or that does not name it.
    RecordsDiffer,
}

/// Addresses of one attachment that may be freed, with everything that rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub(super) attachment: AttachmentId,
    pub(super) attached: (Revision, AttachmentRecord),
    pub(super) addresses: Vec<(IpAddr, Revision, AddressRecord)>,
    pub(super) gone: Gone,
    pub(super) looked: Monotonic,
}

impl Candidate {
    /// Whose addresses they are.
    pub const fn attachment(&self) -> &AttachmentId {
        &self.attachment
    }

    /// When the attachment's record was written.
    pub const fn attached_at(&self) -> Revision {
        self.attached.0
    }

    /// The addresses, each with its record and when that was written.
    pub fn addresses(&self) -> &[(IpAddr, Revision, AddressRecord)] {
        &self.addresses
    }

    /// How it is known that the container is gone.
    pub const fn gone(&self) -> Gone {
        self.gone
    }

    /// Whether the addresses are marked: used last, and always probed.
    pub const fn unproven(&self) -> bool {
        !self.gone.by_own_node()
    }
}

/// A pool that the pass stopped at. Nothing of it is freed on evidence from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The pool.
    pub pool: PoolName,
    /// How many addresses would have been freed.
    pub would_free: u64,
    /// How many may be.
    pub most: u64,
}
