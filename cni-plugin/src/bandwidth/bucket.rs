//! How a limit becomes the kernel's token bucket. Pure.

use super::{Limit, Rate};
use crate::host::Bucket;

/// Ethernet header and one VLAN tag, in bytes: what the kernel counts beyond the MTU.
const HEADER: u64 = 18;
/// The own burst holds as much of the rate, in microseconds: one tick of a kernel of 250 Hz, for
/// those whose timers are no finer.
const BURST_US: u64 = 4_000;
/// The own burst holds at least as many frames.
const BURST_FRAMES: u64 = 10;
/// No burst is below as much of the rate, in microseconds: with less, the time between two looks
/// at a full bucket is lost, and the rate never reached.
const LEAST_BURST_US: u64 = 1_000;
/// Nor below as many frames: the kernel drops what does not fit the bucket.
const LEAST_BURST_FRAMES: u64 = 2;
/// How long what exceeds the limit may wait, in microseconds; then it is dropped.
const WAIT_US: u64 = 25_000;
/// As many frames may wait at any rate: TCP needs some to find its speed.
const WAIT_FRAMES: u64 = 32;
/// Nothing holds more, in bytes; only rates that no machine reaches would.
const MOST: u64 = 1 << 30;

impl Bucket {
    /// The bucket of a limit on an interface with that MTU in bytes.
    pub fn of(limit: Limit, mtu: u32) -> Self {
        let Limit { rate, burst } = limit;
        let frame = u64::from(mtu) + HEADER;
        let least = (LEAST_BURST_FRAMES * frame).max(within(rate, LEAST_BURST_US));
        let own = || (BURST_FRAMES * frame).max(within(rate, BURST_US));
        let burst = burst.map_or_else(own, |asked| u64::from(asked).max(least));
        let queue = burst + (WAIT_FRAMES * frame).max(within(rate, WAIT_US));
        Self {
            rate: rate.bytes(),
            burst: size(burst),
            queue: size(queue),
        }
    }
}

/// Bytes that pass at that rate within so many microseconds.
fn within(rate: Rate, us: u64) -> u64 {
    // At most 1.25e14 bytes a second times 25,000.
    rate.bytes() * us / 1_000_000
}

fn size(bytes: u64) -> u32 {
    u32::try_from(bytes.min(MOST)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(bits: u64, burst: Option<u32>) -> Bucket {
        let rate = Rate::from_bits(bits).unwrap();
        Bucket::of(Limit { rate, burst }, 1500)
    }

    #[test]
    fn the_own_burst_follows_from_rate_and_mtu() {
        for (bits, burst, queue) in [
            (1_000_000, 15_180, 63_756),
            (10_000_000, 15_180, 63_756),
            (100_000_000, 50_000, 362_500),
            (1_000_000_000, 500_000, 3_625_000),
        ] {
            let rate = bits / 8;
            let expected = Bucket { rate, burst, queue };
            assert_eq!(bucket(bits, None), expected, "case: {bits}");
        }
    }

    #[test]
    fn a_burst_that_is_asked_for_is_kept_unless_the_rate_needs_more() {
        assert_eq!(bucket(10_000_000, Some(8_000)).burst, 8_000);
        assert_eq!(bucket(10_000_000, Some(10_000_000)).burst, 10_000_000);
        assert_eq!(bucket(10_000_000, Some(1)).burst, 3_036, "two frames");
        assert_eq!(bucket(1_000_000_000, Some(1)).burst, 125_000, "1 ms");
    }

    proptest! {
        #[test]
        fn a_frame_fits_the_bucket_and_the_bucket_the_queue(
            bits in 1_000_u64..=1_000_000_000_000_000,
            burst in proptest::option::of(any::<u32>()),
            mtu in 68_u32..=65_535,
        ) {
            let rate = Rate::from_bits(bits).unwrap();
            let Bucket { rate: bytes, burst, queue } = Bucket::of(Limit { rate, burst }, mtu);
            prop_assert_eq!(bytes, bits / 8);
            prop_assert!(burst >= mtu + 18);
            prop_assert!(queue >= burst);
            prop_assert!(u64::from(queue) <= MOST);
        }

        #[test]
        fn a_faster_limit_never_holds_less(
            one in 1_000_u64..=1_000_000_000_000_000,
            other in 1_000_u64..=1_000_000_000_000_000,
        ) {
            let (slow, fast) = (bucket(one.min(other), None), bucket(one.max(other), None));
            prop_assert!(slow.burst <= fast.burst && slow.queue <= fast.queue);
        }
    }
}
