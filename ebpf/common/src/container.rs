//! What is counted of a container within a pod.

use core::mem::size_of;

use crate::Count;

/// How many containers a node can tell apart, the [`Unattributed`] among them.
pub const CONTAINER_SLOTS: u32 = 16_384;

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

const _: () = assert!(size_of::<ContainerValue>() == 64);
const _: () = assert!(CONTAINER_SHARDS.is_power_of_two());
