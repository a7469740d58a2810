//! Parts of a subnet that are not handed out: adding them, and taking them back.

use std::net::IpAddr;

use super::Subnet;
use crate::address::{AddressRange, address_like, number};

impl Subnet {
    /// The subnet once `range`, as far as it lies in it, is not handed out.
    #[must_use]
    pub fn excluding(&self, range: AddressRange) -> Self {
        let mut exclude = self.exclude.clone();
        exclude.extend(overlap(&range, &self.whole()));
        Self {
            exclude: merged(&exclude),
            ..self.clone()
        }
    }

    /// The subnet once `range` is excluded no more; an exclusion around it is split.
    #[must_use]
    pub fn including(&self, range: AddressRange) -> Self {
        let left = self.exclude.iter().flat_map(|e| without(e, &range));
        Self {
            exclude: left.collect(),
            ..self.clone()
        }
    }

    /// Whether `address` lies in one of its exclusions.
    pub fn excludes(&self, address: IpAddr) -> bool {
        self.exclude.iter().any(|range| range.contains(address))
    }

    /// Every address that may be handed out, the highest first, lazily.
    ///
    /// An exclusion of any size is passed over in one step.
    pub fn usable_from_top(&self) -> impl Iterator<Item = IpAddr> {
        let range = self.range.unwrap_or_else(|| self.whole());
        let (like, first) = (range.first(), number(range.first()));
        let next = move |n: &u128| {
            let around = self
                .exclude
                .iter()
                .filter(|e| address_like(like, *n).is_some_and(|a| e.contains(a)));
            let skip = around.map(|e| number(e.first())).min();
            skip.unwrap_or(*n).checked_sub(1)
        };
        std::iter::successors(Some(number(range.last())), next)
            .take_while(move |n| *n >= first)
            .filter_map(move |n| address_like(like, n))
            .filter(|address| self.is_usable(*address))
    }
}

/// What both have.
pub(super) fn overlap(a: &AddressRange, b: &AddressRange) -> Option<AddressRange> {
    if !a.overlaps(b) {
        return None;
    }
    let first = if number(a.first()) > number(b.first()) {
        a.first()
    } else {
        b.first()
    };
    let last = if number(a.last()) < number(b.last()) {
        a.last()
    } else {
        b.last()
    };
    AddressRange::new(first, last)
}

/// What `range` has below and above `hole`.
fn without(range: &AddressRange, hole: &AddressRange) -> Vec<AddressRange> {
    if !range.overlaps(hole) {
        return vec![*range];
    }
    let below = number(hole.first()).checked_sub(1);
    let below = below.and_then(|n| address_like(range.first(), n));
    let above = number(hole.last()).checked_add(1);
    let above = above.and_then(|n| address_like(range.first(), n));
    let below = below.and_then(|last| AddressRange::new(range.first(), last));
    let above = above.and_then(|first| AddressRange::new(first, range.last()));
    below.into_iter().chain(above).collect()
}

/// The same addresses as disjoint ranges in order, with a gap between any two.
pub(super) fn merged(ranges: &[AddressRange]) -> Vec<AddressRange> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| number(range.first()));
    let mut merged: Vec<AddressRange> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(previous) if touch(previous, &range) => {
                let further = number(range.last()) > number(previous.last());
                let last = if further {
                    range.last()
                } else {
                    previous.last()
                };
                *previous = AddressRange::new(previous.first(), last).unwrap_or(*previous);
            }
            _ => merged.push(range),
        }
    }
    merged
}

fn touch(a: &AddressRange, b: &AddressRange) -> bool {
    let adjacent = a.last().is_ipv4() == b.first().is_ipv4()
        && number(a.last()).checked_add(1) == Some(number(b.first()));
    a.overlaps(b) || adjacent
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(raw: &str) -> AddressRange {
        raw.parse().unwrap()
    }

    fn subnet(cidr: &str) -> Subnet {
        Subnet {
            cidr: cidr.parse().unwrap(),
            gateway: None,
            range: None,
            exclude: vec![],
            vlan: None,
            routes: vec![],
        }
    }

    #[test]
    fn an_exclusion_is_taken_back_in_part() {
        let subnet = subnet("10.20.1.0/24").excluding(range("10.20.1.10-10.20.1.20"));
        let shown = |subnet: &Subnet| -> Vec<_> {
            subnet.exclude.iter().map(ToString::to_string).collect()
        };
        let cases = [
            (
                "10.20.1.15",
                &["10.20.1.10-10.20.1.14", "10.20.1.16-10.20.1.20"][..],
            ),
            ("10.20.1.0/24", &[]),
            ("10.20.1.18-10.20.1.99", &["10.20.1.10-10.20.1.17"]),
            ("10.20.1.30", &["10.20.1.10-10.20.1.20"]),
        ];
        for (back, left) in cases {
            assert_eq!(shown(&subnet.including(range(back))), left, "case: {back}");
        }
    }

    #[test]
    fn an_exclusion_is_cut_to_the_subnet_and_joined_with_its_neighbours() {
        let subnet = subnet("10.20.1.0/24")
            .excluding(range("10.20.1.10-10.20.1.20"))
            .excluding(range("10.20.1.21-10.20.1.30"))
            .excluding(range("10.20.1.250-10.20.3.1"))
            .excluding(range("10.21.0.0/16"));
        assert_eq!(
            subnet.exclude,
            [
                range("10.20.1.10-10.20.1.30"),
                range("10.20.1.250-10.20.1.255")
            ]
        );
    }

    #[test]
    fn the_highest_addresses_of_a_wide_subnet_cost_nothing() {
        let subnet = subnet("2001:db8::/64").excluding(range("2001:db8:0:0:8000::/65"));
        let top: Vec<_> = subnet.usable_from_top().take(2).collect();
        let expected = [
            "2001:db8::7fff:ffff:ffff:ffff",
            "2001:db8::7fff:ffff:ffff:fffe",
        ];
        assert_eq!(top, expected.map(|a| a.parse::<IpAddr>().unwrap()));
    }

    proptest! {
        #[test]
        fn from_the_top_is_from_the_bottom_backwards(
            excluded in proptest::collection::vec((0_u8..=255, 0_u8..=40), 0..5),
            back in (0_u8..=255, 0_u8..=40),
        ) {
            let run = |(first, length): (u8, u8)| {
                range(&format!("10.20.1.{first}-10.20.1.{}", first.saturating_add(length)))
            };
            let excluding = excluded.iter().fold(subnet("10.20.1.0/24"), |s, e| s.excluding(run(*e)));
            let subnet = excluding.including(run(back));
            let mut forwards: Vec<_> = subnet.usable_in(subnet.whole()).collect();
            forwards.reverse();
            prop_assert_eq!(subnet.usable_from_top().collect::<Vec<_>>(), forwards);
            for address in 0..=255_u8 {
                let address = IpAddr::from([10, 20, 1, address]);
                let inside = excluding.excludes(address) && !run(back).contains(address);
                prop_assert_eq!(subnet.excludes(address), inside);
            }
        }
    }
}
