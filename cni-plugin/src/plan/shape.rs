//! What the interface is to be, and the steps that lead there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use berth_types::{MacAddr, Subnet};
use ipnetwork::IpNetwork;

use super::Step;
use crate::bandwidth::Shaping;
use crate::host::Announce;
use crate::spec::{CniError, Code, RouteEntry};

/// What the interface is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its addresses, each with the subnet it is from.
    pub addresses: Vec<(IpAddr, Subnet)>,
    /// Its hardware address; absent to keep the one it has.
    pub mac: Option<MacAddr>,
    /// Whether neighbours are told of the addresses.
    pub announce: Announce,
    /// The limits on its traffic, when there are any.
    pub shaping: Option<Shaping>,
}

/// An address with its subnet's prefix length.
///
/// # Errors
/// Code 999 when the subnet's prefix does not fit the address.
pub fn cidr(address: IpAddr, subnet: &Subnet) -> Result<IpNetwork, CniError> {
    IpNetwork::new(address, subnet.cidr.prefix()).map_err(|error| {
        let message = format!("address {address}: {error}");
        CniError::new(Code::Internal, message)
            .details("see the pool's subnets with `cnictl pool show`")
    })
}

/// The routes of a subnet: the default route by its gateway, then its own.
pub fn routes_of(subnet: &Subnet) -> impl Iterator<Item = RouteEntry> {
    let any = match subnet.cidr {
        IpNetwork::V4(_) => IpNetwork::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        IpNetwork::V6(_) => IpNetwork::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    };
    let default = any.ok().zip(subnet.gateway);
    let default = default.map(|(dst, gateway)| RouteEntry {
        dst,
        gw: Some(gateway),
    });
    let others = subnet.routes.iter().map(|route| RouteEntry {
        dst: route.dst,
        gw: route.gw.or(subnet.gateway),
    });
    default.into_iter().chain(others)
}

impl Shape {
    /// All routes, in the order of the addresses.
    pub fn routes(&self) -> Vec<RouteEntry> {
        let subnets = self.addresses.iter().map(|(_, subnet)| subnet);
        subnets.flat_map(routes_of).collect()
    }

    /// The steps, in order.
    ///
    /// # Errors
    /// As [`cidr`].
    pub fn steps(&self) -> Result<Vec<Step>, CniError> {
        let mut steps = Vec::new();
        if self.addresses.iter().any(|(address, _)| address.is_ipv6()) {
            steps.push(Step::EnableIpv6);
        }
        steps.push(Step::Prepare {
            mac: self.mac,
            announce: self.announce,
        });
        for (address, subnet) in &self.addresses {
            steps.push(Step::Address(cidr(*address, subnet)?));
        }
        steps.push(Step::Up);
        steps.extend(self.routes().into_iter().filter_map(|route| {
            Some(Step::Route {
                destination: route.dst,
                gateway: route.gw?,
            })
        }));
        steps.extend(self.shaping.clone().map(Step::Limit));
        Ok(steps)
    }
}

#[cfg(test)]
mod tests {
    use berth_types::Incarnation;

    use super::*;
    use crate::bandwidth::{Limit, Limits, Rate};

    fn shape(address: &str, cidr: &str, gateway: Option<&str>) -> Shape {
        let subnet = Subnet {
            cidr: cidr.parse().unwrap(),
            gateway: gateway.map(|g| g.parse().unwrap()),
            range: None,
            exclude: vec![],
            vlan: None,
            routes: vec![],
        };
        let mac = Some(MacAddr::of_address(address.parse().unwrap()));
        Shape {
            addresses: vec![(address.parse().unwrap(), subnet)],
            mac,
            announce: Announce::WhenUp,
            shaping: None,
        }
    }

    #[test]
    fn the_address_is_on_before_the_link_comes_up_and_announces_it() {
        let steps = shape("10.20.1.17", "10.20.1.0/24", Some("10.20.1.1"))
            .steps()
            .unwrap();
        let mac = Some("0a:58:0a:14:01:11".parse().unwrap());
        let expected = [
            Step::Prepare {
                mac,
                announce: Announce::WhenUp,
            },
            Step::Address("10.20.1.17/24".parse().unwrap()),
            Step::Up,
            Step::Route {
                destination: "0.0.0.0/0".parse().unwrap(),
                gateway: "10.20.1.1".parse().unwrap(),
            },
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn the_limits_are_the_last_step() {
        let limits = Limits {
            ingress: None,
            egress: Some(Limit {
                rate: Rate::MIN,
                burst: None,
            }),
        };
        let mut limited = shape("10.20.1.17", "10.20.1.0/24", Some("10.20.1.1"));
        limited.shaping = Shaping::of(limits, &Incarnation::from_random([1; 16]), 1500);
        let steps = limited.steps().unwrap();
        assert!(matches!(steps.last(), Some(Step::Limit(_))), "{steps:?}");
    }

    #[test]
    fn a_pool_without_a_gateway_gives_no_default_route() {
        let steps = shape("10.20.1.17", "10.20.1.0/24", None).steps().unwrap();
        assert!(!steps.iter().any(|step| matches!(step, Step::Route { .. })));
    }

    #[test]
    fn case_58_an_ipv6_address_needs_ipv6_first() {
        let steps = shape("2001:db8::17", "2001:db8::/64", None)
            .steps()
            .unwrap();
        assert_eq!(steps.first(), Some(&Step::EnableIpv6));
    }

    #[test]
    fn both_families_are_on_before_the_link_comes_up() {
        let mut both = shape("10.20.1.17", "10.20.1.0/24", Some("10.20.1.1"));
        let six = shape("2001:db8::17", "2001:db8::/64", Some("2001:db8::1"));
        both.addresses.extend(six.addresses);
        let steps = both.steps().unwrap();
        let at = |wanted: &Step| steps.iter().position(|step| step == wanted);
        let addresses = ["10.20.1.17/24", "2001:db8::17/64"];
        for address in addresses.map(|a| Step::Address(a.parse().unwrap())) {
            assert!(at(&address).unwrap() < at(&Step::Up).unwrap());
        }
        let routes: Vec<_> = both.routes().iter().map(|r| r.dst.to_string()).collect();
        assert_eq!(routes, ["0.0.0.0/0", "::/0"]);
    }
}
