//! Pools: which addresses there are, and how they fall into blocks.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use crate::NodeName;
use crate::address::{AddressRange, address_like, number};
use crate::record::{Record, SchemaVersion};

/// The pool at `pools/<pool>`: its subnets, and who may draw from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// Where the addresses come from, in the order they are used.
    pub subnets: Vec<Subnet>,
    /// Addresses per block; fixed once the pool exists.
    pub block_size: BlockSize,
    /// Kubernetes namespaces that may draw from it (name patterns); empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Nodes that may draw from it (name patterns); empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Whether a pod's interface keeps its address over its pod's lives.
    #[serde(default)]
    pub sticky: bool,
    /// How long a released address rests before it is handed out again, in seconds.
    #[serde(default = "default_cooldown")]
    pub cooldown_s: u32,
    /// Whether addresses are handed out.
    #[serde(default)]
    pub state: PoolState,
}

const fn default_cooldown() -> u32 {
    30
}

impl Record for PoolRecord {}

/// Whether a pool hands out addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolState {
    /// It does.
    #[default]
    Active,
    /// It does not any more; what is held stays held.
    Draining,
}

impl fmt::Display for PoolState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Draining => "draining",
        })
    }
}

/// One subnet of a pool, usually a /24.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subnet {
    /// The layer-2 network, without host bits.
    pub cidr: IpNetwork,
    /// The default gateway; without one a container gets no default route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The part that is handed out; the whole subnet when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<AddressRange>,
    /// Parts that are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<AddressRange>,
    /// The 802.1Q VLAN this subnet lives in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<VlanId>,
    /// Further routes for the containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
}

/// A route besides the default route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Destination.
    pub dst: IpNetwork,
    /// Next hop; the subnet's gateway when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gw: Option<IpAddr>,
}

/// An 802.1Q VLAN identifier, 1 to 4094.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct VlanId(u16);

impl TryFrom<u16> for VlanId {
    type Error = InvalidPool;

    fn try_from(raw: u16) -> Result<Self, InvalidPool> {
        if (1..=4094).contains(&raw) {
            Ok(Self(raw))
        } else {
            Err(InvalidPool::new("vlan", raw, "use 1 to 4094"))
        }
    }
}

impl From<VlanId> for u16 {
    fn from(vlan: VlanId) -> Self {
        vlan.0
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Addresses per block: a power of two from 1 to 256, by default 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct BlockSize(u32);

impl Default for BlockSize {
    fn default() -> Self {
        Self(16)
    }
}

impl TryFrom<u32> for BlockSize {
    type Error = InvalidPool;

    fn try_from(raw: u32) -> Result<Self, InvalidPool> {
        if raw.is_power_of_two() && raw <= 256 {
            Ok(Self(raw))
        } else {
            Err(InvalidPool::new(
                "block size",
                raw,
                "use a power of two from 1 to 256",
            ))
        }
    }
}

impl From<BlockSize> for u32 {
    fn from(size: BlockSize) -> Self {
        size.0
    }
}

impl fmt::Display for BlockSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A pool that cannot be: the field, its value, what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {value}: {problem}")]
pub struct InvalidPool {
    /// The offending field.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What is wrong, and what to write instead.
    pub problem: &'static str,
}

impl InvalidPool {
    fn new(field: &'static str, value: impl fmt::Display, problem: &'static str) -> Self {
        Self {
            field,
            value: value.to_string(),
            problem,
        }
    }
}

/// The record at `blocks/<pool>/<first address>`: where a node looks first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// The node.
    pub node: NodeName,
}

impl Record for BlockRecord {}

/// A run of addresses that begins at a multiple of the block size.
///
/// It may reach beyond its subnet's range: only usable addresses of it are ever handed out, so
/// that a range that changes moves no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Block {
    /// Its first address, a multiple of its size.
    pub first: IpAddr,
    /// How many addresses it has.
    pub size: u32,
}

impl Block {
    /// The block that `address` falls into.
    pub fn containing(address: IpAddr, size: BlockSize) -> Self {
        let step = u128::from(size.0);
        let first = address_like(address, number(address) / step * step).unwrap_or(address);
        Self {
            first,
            size: size.0,
        }
    }

    /// All its addresses, usable or not, in order.
    pub fn addresses(self) -> impl Iterator<Item = IpAddr> {
        (0..u128::from(self.size))
            .filter_map(move |offset| address_like(self.first, number(self.first) + offset))
    }

    /// Its last address.
    pub fn last(self) -> IpAddr {
        let last = number(self.first) + u128::from(self.size - 1);
        address_like(self.first, last).unwrap_or(self.first)
    }
}

impl Subnet {
    /// Checks everything that must be true of one subnet.
    ///
    /// A /31 or /32 (/127, /128) has no address left beside network and broadcast address (or
    /// router anycast) that means anything on a shared LAN, so prefixes end at 30 and 126.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidPool> {
        let Self {
            cidr,
            gateway,
            range,
            exclude,
            vlan: _,
            routes,
        } = self;
        let wrong =
            |field, value: &dyn fmt::Display, problem| Err(InvalidPool::new(field, value, problem));
        let prefixes = if cidr.is_ipv4() { 8..=30 } else { 32..=126 };
        if cidr.ip() != cidr.network() {
            return wrong(
                "subnet",
                cidr,
                "has host bits set; write the network address",
            );
        }
        if !prefixes.contains(&cidr.prefix()) {
            return wrong(
                "subnet",
                cidr,
                "use a prefix from /8 to /30 (IPv6: /32 to /126)",
            );
        }
        if let Some(gateway) = gateway.filter(|gateway| !self.is_host(*gateway)) {
            return wrong("gateway", &gateway, "is not a host address of the subnet");
        }
        let inside = |r: &AddressRange| cidr.contains(r.first()) && cidr.contains(r.last());
        if let Some(range) = range.filter(|range| !inside(range)) {
            return wrong("range", &range, "reaches outside the subnet");
        }
        if let Some(outside) = exclude.iter().find(|e| !e.overlaps(&self.whole())) {
            return wrong("exclude", outside, "lies outside the subnet");
        }
        for route in routes {
            self.validate_route(route)?;
        }
        if self.usable_in(self.whole()).next().is_none() {
            return wrong("subnet", cidr, "has no usable address left");
        }
        Ok(())
    }

    fn validate_route(&self, route: &Route) -> Result<(), InvalidPool> {
        let Route { dst, gw } = route;
        if dst.is_ipv4() != self.cidr.is_ipv4() {
            return Err(InvalidPool::new(
                "route",
                dst,
                "is not of the subnet's address family",
            ));
        }
        if gw.or(self.gateway).is_none_or(|gw| !self.cidr.contains(gw)) {
            return Err(InvalidPool::new(
                "route",
                dst,
                "needs a next hop in the subnet",
            ));
        }
        Ok(())
    }

    /// Whether `address` may be handed out: in the range, a host address, neither gateway nor
    /// excluded.
    pub fn is_usable(&self, address: IpAddr) -> bool {
        self.is_host(address)
            && self.gateway != Some(address)
            && self.range.is_none_or(|range| range.contains(address))
            && !self
                .exclude
                .iter()
                .any(|excluded| excluded.contains(address))
    }

    /// How many addresses may be handed out, saturating; exclusions are taken as disjoint.
    pub fn size(&self) -> u64 {
        let handed_out = self.range.unwrap_or_else(|| self.whole());
        let whole = self.whole();
        let edges = if self.cidr.is_ipv4() {
            vec![whole.first(), whole.last()]
        } else {
            vec![whole.first()]
        };
        let single = edges.into_iter().chain(self.gateway);
        let single = single
            .filter(|a| handed_out.contains(*a) && !self.exclude.iter().any(|e| e.contains(*a)))
            .count();
        let excluded = merged(&self.exclude)
            .into_iter()
            .filter_map(|e| overlap(&e, &handed_out));
        let excluded: u128 = excluded.map(|e| e.count()).sum();
        let single = u128::try_from(single).unwrap_or(u128::MAX);
        u64::try_from(handed_out.count().saturating_sub(excluded + single)).unwrap_or(u64::MAX)
    }

    /// Every block that touches the range, lazily and in order.
    pub fn blocks(&self, size: BlockSize) -> impl Iterator<Item = Block> + use<> {
        let handed_out = self.range.unwrap_or_else(|| self.whole());
        let step = u128::from(size.0);
        let start = number(handed_out.first()) / step * step;
        let last = number(handed_out.last());
        let like = handed_out.first();
        std::iter::successors(Some(start), move |n| n.checked_add(step))
            .take_while(move |n| *n <= last)
            .filter_map(move |n| address_like(like, n))
            .map(move |first| Block {
                first,
                size: size.0,
            })
    }

    /// All of its addresses, also those that are not handed out.
    pub fn whole(&self) -> AddressRange {
        AddressRange::of_network(self.cidr)
    }

    fn is_host(&self, address: IpAddr) -> bool {
        self.cidr.contains(address)
            && address != self.cidr.network()
            && !(self.cidr.is_ipv4() && address == self.cidr.broadcast())
    }

    fn usable_in(&self, range: AddressRange) -> impl Iterator<Item = IpAddr> {
        let from = self.range.map_or(range.first(), |r| r.first());
        let last = number(self.range.map_or(range.last(), |r| r.last()));
        let next = move |n: &u128| {
            let after = self
                .exclude
                .iter()
                .filter(|e| address_like(from, *n).is_some_and(|a| e.contains(a)));
            let skip = after.map(|e| number(e.last())).max();
            skip.unwrap_or(*n).checked_add(1)
        };
        std::iter::successors(Some(number(from)), next)
            .take_while(move |n| *n <= last)
            .filter_map(move |n| address_like(from, n))
            .filter(|address| self.is_usable(*address))
    }
}

fn overlap(a: &AddressRange, b: &AddressRange) -> Option<AddressRange> {
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

/// The same addresses as disjoint ranges in order.
fn merged(ranges: &[AddressRange]) -> Vec<AddressRange> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| number(range.first()));
    let mut merged: Vec<AddressRange> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(previous) if previous.overlaps(&range) => {
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

impl PoolRecord {
    /// An active pool of these subnets, for everybody.
    pub fn new(subnets: Vec<Subnet>, block_size: BlockSize) -> Self {
        Self {
            v: SchemaVersion,
            subnets,
            block_size,
            namespaces: Vec::new(),
            nodes: Vec::new(),
            sticky: false,
            cooldown_s: default_cooldown(),
            state: PoolState::Active,
        }
    }

    /// Checks every subnet, and that no two overlap.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidPool> {
        if self.subnets.is_empty() {
            return Err(InvalidPool::new("subnet", "", "give at least one"));
        }
        for (n, subnet) in self.subnets.iter().enumerate() {
            subnet.validate()?;
            if self
                .subnets
                .iter()
                .take(n)
                .any(|other| other.whole().overlaps(&subnet.whole()))
            {
                return Err(InvalidPool::new(
                    "subnet",
                    subnet.cidr,
                    "overlaps another of this pool",
                ));
            }
        }
        Ok(())
    }

    /// The subnet that contains `address`, whether or not it is handed out.
    pub fn subnet_of(&self, address: IpAddr) -> Option<&Subnet> {
        self.subnets
            .iter()
            .find(|subnet| subnet.cidr.contains(address))
    }

    /// Whether `address` may be handed out.
    pub fn is_usable(&self, address: IpAddr) -> bool {
        self.subnet_of(address)
            .is_some_and(|subnet| subnet.is_usable(address))
    }

    /// Every block, in the order of the subnets, lazily.
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        self.subnets
            .iter()
            .flat_map(|subnet| subnet.blocks(self.block_size))
    }

    /// How many addresses may be handed out, saturating.
    pub fn size(&self) -> u64 {
        self.subnets
            .iter()
            .map(Subnet::size)
            .fold(0, u64::saturating_add)
    }

    /// The first subnet of `other` that shares an address with one of ours.
    pub fn overlap<'a>(&self, other: &'a Self) -> Option<&'a Subnet> {
        other.subnets.iter().find(|theirs| {
            self.subnets
                .iter()
                .any(|ours| ours.whole().overlaps(&theirs.whole()))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subnet(cidr: &str) -> Subnet {
        let cidr = cidr.parse().unwrap();
        Subnet {
            cidr,
            gateway: None,
            range: None,
            exclude: vec![],
            vlan: None,
            routes: vec![],
        }
    }

    fn with(cidr: &str, gateway: &str, range: &str, exclude: &[&str]) -> Subnet {
        Subnet {
            gateway: (!gateway.is_empty()).then(|| gateway.parse().unwrap()),
            range: (!range.is_empty()).then(|| range.parse().unwrap()),
            exclude: exclude.iter().map(|e| e.parse().unwrap()).collect(),
            ..subnet(cidr)
        }
    }

    #[test]
    fn case_60_a_subnet_that_cannot_be_is_refused_with_the_field() {
        let cases = [
            ("host bits", with("10.20.1.5/24", "", "", &[]), "subnet"),
            ("/31", subnet("10.20.1.0/31"), "subnet"),
            ("/32", subnet("10.20.1.0/32"), "subnet"),
            ("/127", subnet("2001:db8::/127"), "subnet"),
            ("/128", subnet("2001:db8::/128"), "subnet"),
            ("/0", subnet("0.0.0.0/0"), "subnet"),
            (
                "gateway outside",
                with("10.20.1.0/24", "10.20.2.1", "", &[]),
                "gateway",
            ),
            (
                "gateway is broadcast",
                with("10.20.1.0/24", "10.20.1.255", "", &[]),
                "gateway",
            ),
            (
                "gateway of other family",
                with("10.20.1.0/24", "2001:db8::1", "", &[]),
                "gateway",
            ),
            (
                "range outside",
                with("10.20.1.0/24", "", "10.20.1.9-10.20.2.9", &[]),
                "range",
            ),
            (
                "exclusion outside",
                with("10.20.1.0/24", "", "", &["10.21.0.0/24"]),
                "exclude",
            ),
            (
                "nothing left",
                with("10.20.1.0/30", "10.20.1.1", "", &["10.20.1.2"]),
                "subnet",
            ),
        ];
        for (case, subnet, field) in cases {
            assert_eq!(
                subnet.validate().expect_err(case).field,
                field,
                "case: {case}"
            );
        }
        assert!(
            "10.20.1.9-10.20.1.3".parse::<AddressRange>().is_err(),
            "a range backwards"
        );
        assert_eq!(
            with("10.20.1.0/24", "10.20.1.1", "", &[]).validate(),
            Ok(())
        );
        assert_eq!(
            with("2001:db8::/64", "2001:db8::1", "", &[]).validate(),
            Ok(())
        );
    }

    #[test]
    fn subnets_of_one_pool_do_not_overlap() {
        let pool = |cidrs: &[&str]| {
            PoolRecord::new(
                cidrs.iter().map(|c| subnet(c)).collect(),
                BlockSize::default(),
            )
        };
        assert!(
            pool(&["10.20.1.0/24", "10.20.1.128/25"])
                .validate()
                .is_err()
        );
        assert!(pool(&["10.20.1.0/24", "10.20.2.0/24"]).validate().is_ok());
        assert!(pool(&[]).validate().is_err());
    }

    #[test]
    fn network_broadcast_gateway_and_exclusions_are_not_usable() {
        let subnet = with(
            "10.20.1.0/24",
            "10.20.1.1",
            "10.20.1.0-10.20.1.99",
            &["10.20.1.16/28"],
        );
        for (address, usable) in [
            ("10.20.1.0", false),
            ("10.20.1.1", false),
            ("10.20.1.2", true),
            ("10.20.1.16", false),
            ("10.20.1.31", false),
            ("10.20.1.32", true),
            ("10.20.1.99", true),
            ("10.20.1.100", false),
            ("10.20.1.255", false),
            ("10.20.2.5", false),
        ] {
            assert_eq!(
                subnet.is_usable(address.parse().unwrap()),
                usable,
                "case: {address}"
            );
        }
        assert_eq!(subnet.size(), 100 - 2 - 16);
    }

    #[test]
    fn case_61_blocks_are_aligned_by_address_and_clipped_by_use() {
        let subnet = with("10.20.1.0/24", "", "10.20.1.10-10.20.1.40", &[]);
        let firsts: Vec<_> = subnet
            .blocks(BlockSize::default())
            .map(|b| b.first.to_string())
            .collect();
        assert_eq!(firsts, ["10.20.1.0", "10.20.1.16", "10.20.1.32"]);
        let block = Block::containing("10.20.1.17".parse().unwrap(), BlockSize::default());
        assert_eq!(block.first.to_string(), "10.20.1.16");
        assert_eq!(block.last().to_string(), "10.20.1.31");
        assert_eq!(block.addresses().count(), 16);
    }

    #[test]
    fn a_block_size_is_a_power_of_two() {
        for bad in [0, 3, 17, 512] {
            assert!(BlockSize::try_from(bad).is_err(), "case: {bad}");
        }
        assert!(BlockSize::try_from(16).is_ok());
    }

    #[test]
    fn case_53_a_vlan_is_1_to_4094() {
        for bad in [0_u16, 4095, 5000] {
            assert!(VlanId::try_from(bad).is_err(), "case: {bad}");
        }
        assert!(VlanId::try_from(120).is_ok());
    }

    #[test]
    fn a_v6_subnet_of_any_size_costs_nothing() {
        let subnet = subnet("2001:db8::/64");
        assert_eq!(subnet.validate(), Ok(()));
        assert_eq!(subnet.blocks(BlockSize::default()).take(3).count(), 3);
        assert_eq!(subnet.size(), u64::MAX);
    }

    proptest! {
        #[test]
        fn the_size_is_the_number_of_usable_addresses(
            gateway in 0_u8..=255, first in 0_u8..=255, length in 0_u8..=255,
            excluded in proptest::collection::vec((0_u8..=255, 0_u8..=40), 0..4),
        ) {
            let at = |n: u8| format!("10.20.1.{n}");
            let range = format!("{}-{}", at(first), at(first.saturating_add(length)));
            let exclude: Vec<_> = excluded.iter()
                .map(|(from, n)| format!("{}-{}", at(*from), at(from.saturating_add(*n)))).collect();
            let exclude: Vec<_> = exclude.iter().map(String::as_str).collect();
            let subnet = with("10.20.1.0/24", &at(gateway), &range, &exclude);
            let counted = subnet.whole();
            let counted = (number(counted.first())..=number(counted.last()))
                .filter_map(|n| address_like(counted.first(), n))
                .filter(|a| subnet.is_usable(*a)).count();
            if subnet.is_host(at(gateway).parse().unwrap()) {
                prop_assert_eq!(subnet.size(), u64::try_from(counted).unwrap());
                prop_assert_eq!(subnet.usable_in(subnet.whole()).count(), counted);
            }
        }
    }
}
