//! What the agent writes down in the kernel, so that any later agent can go on from there.

use core::mem::size_of;

use crate::{Count, TcpValue};

/// Room for the identity of an interface: JSON.
pub const IDENTITY_BYTES: usize = 1536;

/// Room for the identity of a workload: JSON.
pub const WORKLOAD_IDENTITY_BYTES: usize = 640;

/// Most workloads whose ended pods are remembered, the one of all others included.
pub const WORKLOADS: u32 = 4096;

/// Sums of one interface or workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Totals {
    /// What is received, by [`Scope`](crate::Scope).
    pub receive: [Count; 4],
    /// What is sent, by [`Scope`](crate::Scope).
    pub transmit: [Count; 4],
    /// What is received, by [`Protocol`](crate::Protocol), by [`Family`](crate::Family).
    pub receive_detail: [[Count; 3]; 5],
    /// What is sent, the same way.
    pub transmit_detail: [[Count; 3]; 5],
    /// Segments with RST that were received and sent.
    pub resets: [u64; 2],
    /// TCP.
    pub tcp: TcpValue,
}

/// What a slot is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum OwnerState {
    /// Nobody's; its counters are zero.
    Free = 0,
    /// An interface's: whoever is in it is counted.
    Live = 1,
    /// Its interface is gone; it has yet to be folded into its workload.
    Ended = 2,
}

/// Whose a slot is. One update of the map changes all of it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Owner {
    /// [`OwnerState`].
    pub state: u32,
    /// How many bytes of `identity` are used.
    pub identity_len: u32,
    /// How often the slot was given; never goes back.
    pub generation: u64,
    /// When counting began, in nanoseconds since 1970; for people.
    pub created_ns: u64,
    /// Bit 0: counting continues from the device's own counters, so that the totals are estimated.
    pub flags: u64,
    /// Where counting began: added to the counters at reading, wrapping.
    pub base: Totals,
    /// Who it is.
    pub identity: [u8; IDENTITY_BYTES],
}

/// The name of a workload in its map: the first 16 bytes of a digest of its identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct WorkloadKey(pub [u8; 16]);

/// What the ended pods of one workload had counted.
///
/// It names the slot and generation that was added last: an agent that is killed between adding and
/// freeing the slot finds that it has been added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Workload {
    /// The slot that was added last.
    pub slot: u32,
    /// How many bytes of `identity` are used.
    pub identity_len: u32,
    /// Its generation.
    pub generation: u64,
    /// When the first was counted, in nanoseconds since 1970; for people.
    pub created_ns: u64,
    /// No use yet.
    pub reserved: u64,
    /// The sums.
    pub totals: Totals,
    /// Who it is.
    pub identity: [u8; WORKLOAD_IDENTITY_BYTES],
}

const _: () = assert!(size_of::<Totals>().is_multiple_of(64));
const _: () = assert!(size_of::<Owner>().is_multiple_of(64));
const _: () = assert!(size_of::<Workload>().is_multiple_of(64));
