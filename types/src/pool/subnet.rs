//! Subnets: the layer-2 networks that a pool's addresses are from.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use super::exclusions::{merged, overlap};
use super::{Block, BlockSize, InvalidPool};
use crate::address::{AddressRange, address_like, number};

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

/// Whether a subnet that begins there, of a prefix that is allowed, lies where no host is.
///
/// IPv4-mapped addresses, in `::/32`, would be an IPv4 pool's own under another spelling.
fn is_no_lan(first: IpAddr) -> bool {
    match first {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_loopback() || v4.is_multicast(),
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            segments[..2] == [0, 0] || v6.is_multicast() || v6.is_unicast_link_local()
        }
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
        if is_no_lan(cidr.network()) {
            return wrong(
                "subnet",
                cidr,
                "is multicast, loopback, IPv6 link-local, IPv4-mapped or otherwise set apart: no interface on a LAN has such addresses",
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

    /// Every block that touches the range and is not excluded as a whole, lazily and in order.
    ///
    /// An exclusion of any size is passed over in one step.
    pub fn blocks(&self, size: BlockSize) -> impl Iterator<Item = Block> {
        let handed_out = self.range.unwrap_or_else(|| self.whole());
        let step = u128::from(u32::from(size));
        let (like, last) = (handed_out.first(), number(handed_out.last()));
        let start = number(like) / step * step;
        // The last address of the widest exclusion that has the whole block.
        let covered = move |first: u128| {
            let whole = |e: &&AddressRange| {
                number(e.first()) <= first && first + (step - 1) <= number(e.last())
            };
            self.exclude
                .iter()
                .filter(whole)
                .map(|e| number(e.last()))
                .max()
        };
        let next = move |first: &u128| match covered(*first) {
            Some(end) => end.checked_add(1).map(|after| after / step * step),
            None => first.checked_add(step),
        };
        std::iter::successors(Some(start), next)
            .take_while(move |first| *first <= last)
            .filter(move |first| covered(*first).is_none())
            .filter_map(move |first| address_like(like, first))
            .map(move |first| Block {
                first,
                size: u32::from(size),
            })
    }

    /// All of its addresses, also those that are not handed out.
    pub fn whole(&self) -> AddressRange {
        AddressRange::of_network(self.cidr)
    }

    pub(super) fn is_host(&self, address: IpAddr) -> bool {
        self.cidr.contains(address)
            && address != self.cidr.network()
            && !(self.cidr.is_ipv4() && address == self.cidr.broadcast())
    }

    pub(super) fn usable_in(&self, range: AddressRange) -> impl Iterator<Item = IpAddr> {
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
