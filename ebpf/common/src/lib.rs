//! The binary interface between the programs in the kernel and the agent that reads them.
//!
//! Everything here is pinned in the kernel's file system below `v<ABI>/` and outlives the agent. A
//! change of any layout or meaning raises [`ABI`]: the sizes are asserted, so that none goes unseen.
//!
//! Bytes are those of the frame on the wire without preamble and checksum: the Ethernet header is
//! in, and so is a VLAN's tag, also where the kernel carries it beside the packet; 4 bytes of FCS are
//! not.

#![no_std]

mod container;
mod ledger;
mod slot;
mod tcp;

pub use container::{
    CGROUPS, CONTAINER_IDENTITY_BYTES, CONTAINER_SHARDS, CONTAINER_SLOTS, ContainerOwner,
    ContainerValue, Unattributed, container_index,
};
pub use ledger::{
    IDENTITY_BYTES, Owner, OwnerState, Totals, WORKLOAD_IDENTITY_BYTES, WORKLOADS, Workload,
    WorkloadKey,
};
pub use slot::{
    Count, DETAIL_SHARDS, DetailValue, Direction, Family, NEAR_ENTRIES, OVERFLOW, Protocol,
    SCOPE_ENTRIES, SHARDS, SLOTS, Scope, SlotValue, detail_index, slot_index,
};
pub use tcp::{RTT_BOUNDS_US, RTT_BUCKETS, TcpValue};

/// The version of this interface, and the name of its folder.
pub const ABI: u32 = 1;

/// What a program is told when it is loaded: constants in its read-only data.
pub mod constants {
    /// `u32`: the slot it counts into.
    pub const SLOT: &str = "SLOT";
    /// `u32`: how much it tells apart, as [`LEVEL_MIN`], [`LEVEL_DEFAULT`] or [`LEVEL_DETAIL`].
    pub const LEVEL: &str = "LEVEL";
    /// `u32`: 1 on the node's end of a pair, whose egress is what the container receives.
    pub const NODE_END: &str = "NODE_END";
    /// `u32`: 1 when segments with RST are counted.
    pub const TCP: &str = "TCP";
    /// `u32`: how many levels below the root of its hierarchy a container's cgroup is.
    pub const DEPTH: &str = "DEPTH";

    /// Everything counts as [`Scope::Other`](crate::Scope::Other).
    pub const LEVEL_MIN: u32 = 0;
    /// Told apart by where the peer is.
    pub const LEVEL_DEFAULT: u32 = 1;
    /// By protocol and family as well.
    pub const LEVEL_DETAIL: u32 = 2;
}

/// The names of the maps, which are those of their pins.
pub mod maps {
    /// Array, memory-mapped: [`SlotValue`](crate::SlotValue) by [`slot_index`](crate::slot_index).
    pub const SLOTS: &str = "slots";
    /// Array, memory-mapped: [`DetailValue`](crate::DetailValue) by [`detail_index`](crate::detail_index).
    pub const DETAILS: &str = "details";
    /// Array, memory-mapped: [`TcpValue`](crate::TcpValue) by slot.
    pub const TCP: &str = "tcp";
    /// LPM trie from an IPv4 prefix to a [`Scope`](crate::Scope).
    pub const SCOPE4: &str = "scope4";
    /// LPM trie from an IPv6 prefix to a [`Scope`](crate::Scope).
    pub const SCOPE6: &str = "scope6";
    /// Hash of the IPv4 addresses of this node's containers.
    pub const NEAR4: &str = "near4";
    /// Hash of the IPv6 addresses of this node's containers.
    pub const NEAR6: &str = "near6";
    /// Hash from a container's cgroup id to its slot.
    pub const CGROUPS: &str = "cgroups";
    /// Array, memory-mapped: [`ContainerValue`](crate::ContainerValue) by
    /// [`container_index`](crate::container_index).
    pub const CONTAINERS: &str = "containers";
    /// Hash: [`ContainerOwner`](crate::ContainerOwner) by slot. Only the agent reads and writes it.
    pub const CONTAINER_OWNERS: &str = "container_owners";
    /// Array: [`Owner`](crate::Owner) by slot. Only the agent reads and writes it.
    pub const OWNERS: &str = "owners";
    /// Hash: [`Workload`](crate::Workload) by [`WorkloadKey`](crate::WorkloadKey). The agent's alone.
    pub const WORKLOADS: &str = "workloads";
}

#[cfg(feature = "agent")]
mod agent {
    macro_rules! plain {
        ($($value:ty),*) => {$(
            // SAFETY: a `repr(C)` value of integers without padding, for which every bit pattern is one.
            unsafe impl aya::Pod for $value {}
        )*};
    }
    plain!(
        crate::SlotValue,
        crate::DetailValue,
        crate::TcpValue,
        crate::ContainerValue,
        crate::ContainerOwner,
        crate::Owner,
        crate::Workload,
        crate::WorkloadKey
    );
}
