//! What is counted of an interface.

use core::mem::size_of;

/// How many interfaces a node can tell apart.
pub const SLOTS: u32 = 4096;

/// The slot of all interfaces for which none was left.
pub const OVERFLOW: u32 = 0;

/// Into how many values a slot is split, so that processors do not write to one line.
///
/// A power of two: a processor takes the one its number ends in.
pub const SHARDS: u32 = 8;

/// The same of the details.
pub const DETAIL_SHARDS: u32 = 4;

/// Most prefixes of each family that tell where a peer is.
pub const SCOPE_ENTRIES: u32 = 4096;

/// Most addresses of each family of this node's containers.
pub const NEAR_ENTRIES: u32 = 16_384;

/// Where the shard of `processor` is in the array of slots.
pub const fn slot_index(slot: u32, processor: u32) -> u32 {
    slot * SHARDS + processor % SHARDS
}

/// Where the shard of `processor` is in the array of details.
pub const fn detail_index(slot: u32, processor: u32) -> u32 {
    slot * DETAIL_SHARDS + processor % DETAIL_SHARDS
}

/// Bytes and packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Count {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

/// Where the other end of a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Scope {
    /// A container of this node.
    SameNode = 0,
    /// A pod or service of the clusters.
    Cluster = 1,
    /// Anywhere else.
    External = 2,
    /// Nowhere that could be named: broadcast, multicast, what is not IP, or it was not asked.
    Other = 3,
}

impl Scope {
    /// All, in the order they are counted in.
    pub const ALL: [Self; 4] = [Self::SameNode, Self::Cluster, Self::External, Self::Other];
}

/// The transport protocols that are told apart at level `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Protocol {
    /// TCP.
    Tcp = 0,
    /// UDP.
    Udp = 1,
    /// `ICMP` and `ICMPv6`.
    Icmp = 2,
    /// SCTP.
    Sctp = 3,
    /// Any other, and what is not IP.
    Other = 4,
}

impl Protocol {
    /// All, in the order they are counted in.
    pub const ALL: [Self; 5] = [Self::Tcp, Self::Udp, Self::Icmp, Self::Sctp, Self::Other];
}

/// The address families that are told apart at level `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Family {
    /// IPv4.
    V4 = 0,
    /// IPv6.
    V6 = 1,
    /// Neither.
    None = 2,
}

impl Family {
    /// All, in the order they are counted in.
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::None];
}

/// One direction of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Direction {
    /// As on the wire, by [`Scope`].
    pub scopes: [Count; 4],
    /// By how much that is more than the kernel's own counters of the device, which count a packet
    /// that is yet to be segmented, or was merged, once and with one header.
    pub surplus: Count,
    /// Packets to be segmented whose headers could not be read, and whose bytes are therefore the
    /// kernel's.
    pub estimated: u64,
    /// Segments with RST, where that is counted.
    pub resets: u64,
    /// Up to a whole cache line.
    pub reserved: [u64; 4],
}

/// One shard of a slot. Directions are the container's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct SlotValue {
    /// What the container receives.
    pub receive: Direction,
    /// What it sends.
    pub transmit: Direction,
}

/// One shard of a slot's details: receive and transmit, by [`Protocol`], by [`Family`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct DetailValue {
    /// What the container receives.
    pub receive: [[Count; 3]; 5],
    /// What it sends.
    pub transmit: [[Count; 3]; 5],
    /// Up to a whole cache line.
    pub reserved: [u64; 4],
}

const _: () = assert!(size_of::<Direction>() == 128);
const _: () = assert!(size_of::<SlotValue>() == 256);
const _: () = assert!(size_of::<DetailValue>() == 512);
const _: () = assert!(SHARDS.is_power_of_two() && DETAIL_SHARDS.is_power_of_two());
