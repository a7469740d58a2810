//! Limits on a container's traffic.
//!
//! - `ask` reads what the pod asks for, a [`Bucket`] is derived from it;
//! - `apply` sets them inside the container's namespace, on its own interface: what leaves waits in
//!   a token bucket at the interface itself; what arrives is first led through an intermediate
//!   device (`ifb`) with a bucket of its own;
//! - `observe` tells CHECK what is missing.
//!
//! Nothing of it is on the node's side, so that it is the same for every driver and datapath. Open
//! vSwitch would take queues away that others set on its ports. The price: a container that may
//! administer its own network (`NET_ADMIN`) can lift its limits.

mod apply;
mod ask;
mod bucket;
mod observe;
mod quantity;

use berth_types::{IfName, Incarnation};

use crate::host::Bucket;
pub use apply::{apply, remove};
pub use ask::asked;
pub use observe::{Seen, missing, observe};

/// The traffic's direction, as the container sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What arrives at the container.
    Ingress,
    /// What leaves it.
    Egress,
}

impl Direction {
    /// `ingress` or `egress`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// A rate in bits a second: 1,000 to 10^15, as the kubelet allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// The slowest, 1 kbit/s.
    pub const MIN: Self = Self(1_000);
    /// The fastest, 1 Pbit/s.
    pub const MAX: Self = Self(1_000_000_000_000_000);

    /// Accepts bits a second between [`Self::MIN`] and [`Self::MAX`].
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits < Self::MIN.0 || bits > Self::MAX.0 {
            None
        } else {
            Some(Self(bits))
        }
    }

    /// Bits a second.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whole bytes a second, as the kernel counts.
    pub const fn bytes(self) -> u64 {
        self.0 / 8
    }
}

/// The limit of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The rate that is not exceeded for long.
    pub rate: Rate,
    /// What may pass at once after a pause, in bytes; derived from the rate when absent.
    pub burst: Option<u32>,
}

/// The limits of an interface; a direction without one is not touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of what arrives.
    pub ingress: Option<Limit>,
    /// Of what leaves.
    pub egress: Option<Limit>,
}

/// What is to be set on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaping {
    /// For what arrives, with the name of the device it waits at.
    pub ingress: Option<(IfName, Bucket)>,
    /// For what leaves.
    pub egress: Option<Bucket>,
    /// The interface's MTU in bytes.
    pub mtu: u32,
}

impl Shaping {
    /// What `limits` come to on an interface of that life and MTU; `None` when they limit nothing.
    pub fn of(limits: Limits, incarnation: &Incarnation, mtu: u32) -> Option<Self> {
        let Limits { ingress, egress } = limits;
        if ingress.is_none() && egress.is_none() {
            return None;
        }
        Some(Self {
            ingress: ingress.map(|limit| (device(incarnation), Bucket::of(limit, mtu))),
            egress: egress.map(|limit| Bucket::of(limit, mtu)),
            mtu,
        })
    }
}

/// The name of the device that arriving traffic of that life waits at.
///
/// It follows from the life alone, so that it is found again whatever is lost, and no two
/// interfaces of a container share one.
pub fn device(incarnation: &Incarnation) -> IfName {
    let [a, b, c, d, e, f, ..] = incarnation.to_bytes();
    IfName::ifb([a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(digits: u8) -> Incarnation {
        Incarnation::from_random([digits; 16])
    }

    fn limit(bits: u64) -> Limit {
        let rate = Rate::from_bits(bits).unwrap();
        Limit { rate, burst: None }
    }

    #[test]
    fn every_life_has_a_device_of_its_own() {
        let (one, other) = (device(&life(1)), device(&life(0xfe)));
        assert_eq!(one.as_str().len(), 15);
        assert_ne!(one, other);
        assert_eq!(one, device(&life(1)));
    }

    #[test]
    fn a_direction_without_a_limit_is_not_touched() {
        assert_eq!(Shaping::of(Limits::default(), &life(1), 1500), None);
        let ingress = Limits {
            ingress: Some(limit(10_000_000)),
            egress: None,
        };
        let shaping = Shaping::of(ingress, &life(1), 1500).unwrap();
        assert!(shaping.ingress.is_some() && shaping.egress.is_none());
        let egress = Limits {
            ingress: None,
            egress: Some(limit(10_000_000)),
        };
        let shaping = Shaping::of(egress, &life(1), 1500).unwrap();
        assert!(shaping.ingress.is_none() && shaping.egress.is_some());
    }

    #[test]
    fn a_rate_is_within_what_the_kubelet_allows() {
        for (bits, fits) in [
            (0, false),
            (999, false),
            (1_000, true),
            (1_000_000_000_000_000, true),
            (1_000_000_000_000_001, false),
            (u64::MAX, false),
        ] {
            assert_eq!(Rate::from_bits(bits).is_some(), fits, "case: {bits}");
        }
    }
}
