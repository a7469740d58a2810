//! How well a pod's TCP connections do.

use core::mem::size_of;

/// How many buckets the round-trip times have, the last without a bound.
pub const RTT_BUCKETS: usize = 8;

/// The upper bounds of all buckets but the last, in microseconds, each included.
pub const RTT_BOUNDS_US: [u32; RTT_BUCKETS - 1] =
    [100, 500, 1_000, 5_000, 20_000, 100_000, 500_000];

/// The TCP of one pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct TcpValue {
    /// Segments sent again.
    pub retransmits: u64,
    /// Connections the pod opened.
    pub connected: u64,
    /// Connections the pod could not open.
    pub failed: u64,
    /// Connections the pod accepted.
    pub accepted: u64,
    /// Smoothed round-trip times, by [`RTT_BOUNDS_US`].
    pub rtt: [u64; RTT_BUCKETS],
    /// Their sum, in microseconds.
    pub rtt_sum_us: u64,
    /// Up to a whole cache line.
    pub reserved: [u64; 3],
}

const _: () = assert!(size_of::<TcpValue>() == 128);
