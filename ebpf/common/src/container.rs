//! What is counted of a container within a pod.

use core::mem::size_of;

use crate::Count;

/// How many containers a node can tell apart, the [`Unattributed`] among them.
pub const CONTAINER_SLOTS: u32 = 16_384;

/// Most cgroups of containers that are known at once: a container that restarts has two for a while.
pub const CGROUPS: u32 = CONTAINER_SLOTS;

/// Room for the identity of a container: JSON.
pub const CONTAINER_IDENTITY_BYTES: usize = 464;

/// Into how many values one is split; a power of two.
pub const CONTAINER_SHARDS: u32 = 4;

/// Where the shard of `processor` is in the array of containers.
pub const fn container_index(slot: u32, processor: u32) -> u32 {
    slot * CONTAINER_SHARDS + processor % CONTAINER_SHARDS
}

/// The first slots: what no container can be named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Unattributed {
    /// The socket is the pod's, not one of its containers'.
    PodCgroup = 0,
    /// A cgroup that the agent has not seen yet.
    UnknownCgroup = 1,
    /// A container for which no slot was left.
    MapFull = 2,
}

impl Unattributed {
    /// All, by their slots.
    pub const ALL: [Self; 3] = [Self::PodCgroup, Self::UnknownCgroup, Self::MapFull];
}

/// One shard of a container: bytes from the network header on, without the Ethernet header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct ContainerValue {
    /// What it receives.
    pub receive: Count,
    /// What it sends.
    pub transmit: Count,
    /// What it receives by the loopback interface.
    pub loopback_receive: Count,
    /// What it sends to the loopback interface.
    pub loopback_transmit: Count,
}

/// Whose a container's slot is. One update of the map changes all of it at once.
///
/// A container that starts again under its name goes on in the slot it had. Where the name is found
/// out late, a pod has several slots of one name, which are added up at reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ContainerOwner {
    /// [`OwnerState`](crate::OwnerState); the counters of a free one are no longer of interest, and
    /// are zeroed before it is given again.
    pub state: u32,
    /// How many bytes of `identity` are used.
    pub identity_len: u32,
    /// How often the slot was given; never goes back.
    pub generation: u64,
    /// When counting began, in nanoseconds since 1970; for people.
    pub created_ns: u64,
    /// No use yet.
    pub reserved: [u64; 3],
    /// Who it is.
    pub identity: [u8; CONTAINER_IDENTITY_BYTES],
}

const _: () = assert!(size_of::<ContainerOwner>() == 512);
const _: () = assert!(size_of::<ContainerValue>() == 64);
const _: () = assert!(CONTAINER_SHARDS.is_power_of_two());
