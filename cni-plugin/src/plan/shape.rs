//! What the interface is to be, and the steps that lead there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use berth_types::{MacAddr, Subnet};
use ipnetwork::IpNetwork;

use super::{Port, Step};
use crate::bandwidth::Shaping;
use crate::host_access::Access;
use crate::spec::{CniError, Code, RouteEntry};

/// What the interface is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its addresses, each with the subnet it is from.
    pub addresses: Vec<(IpAddr, Subnet)>,
    /// Its routes, in the order in which they are set.
    pub routes: Vec<RouteEntry>,
    /// Its hardware address; absent to keep the one it has.
    pub mac: Option<MacAddr>,
    /// What routers have to say to it.
    pub routers: Routers,
    /// The addresses that the LAN is to be asked for first.
    pub probed: Vec<IpAddr>,
    /// Whether its gateways have to answer.
    pub gateways: Gateways,
    /// Whether neighbours are told of the addresses.
    pub announce: Announce,
    /// The port of the node's end, when it is to be one.
    pub port: Option<Port>,
    /// How node and container reach each other, when they are to.
    pub access: Option<Access>,
    /// The limits on its traffic, when there are any.
    pub shaping: Option<Shaping>,
}

/// Whether the interface follows what routers advertise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routers {
    /// It has the addresses and routes of its pool, and no others.
    Ignored,
    /// As the kernel's defaults are.
    Followed,
}

/// Whether gateways have to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateways {
    /// They are not asked.
    Trusted,
    /// One that is silent is an error.
    MustAnswer,
}

/// Whether neighbours are told of the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// They are, once they can be answered.
    AtOnce,
    /// They find out by themselves.
    Never,
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
    /// The steps, in order.
    ///
    /// # Errors
    /// As [`cidr`].
    pub fn steps(&self) -> Result<Vec<Step>, CniError> {
        let mut steps = Vec::new();
        // While `ovs-vswitchd` takes the port up, the rest is done.
        steps.extend(self.port.clone().map(Step::AddPort));
        let mut await_port = self.port.clone().map(|port| Step::AwaitPort(port.place));
        if self.routers == Routers::Ignored {
            steps.push(Step::IgnoreRouters);
        }
        if self.addresses.iter().any(|(address, _)| address.is_ipv6()) {
            steps.push(Step::EnableIpv6);
        }
        let probed = self.addresses.iter();
        let probed = probed.filter(|(address, _)| self.probed.contains(address));
        let probed: Vec<_> = probed.map(|(a, s)| cidr(*a, s)).collect::<Result<_, _>>()?;
        if !probed.is_empty() {
            // A question before the port is switched would reach nobody; nor would one to the
            // gateways, or an announcement.
            steps.extend(await_port.take());
            steps.push(Step::Probe(probed));
        }
        steps.push(Step::Prepare { mac: self.mac });
        for (address, subnet) in &self.addresses {
            steps.push(Step::Address(cidr(*address, subnet)?));
        }
        steps.push(Step::Up);
        steps.extend(self.routes.iter().filter_map(|route| {
            Some(Step::Route {
                destination: route.dst,
                gateway: route.gw?,
            })
        }));
        steps.extend(await_port);
        let gateways = self.gateways();
        if self.gateways == Gateways::MustAnswer && !gateways.is_empty() {
            steps.push(Step::FindGateways(gateways));
        }
        if self.announce == Announce::AtOnce {
            let addresses = self.addresses.iter().map(|(address, _)| *address);
            steps.push(Step::Announce(addresses.collect()));
        }
        steps.extend(self.access.clone().map(Step::GiveAccess));
        steps.extend(self.shaping.clone().map(Step::Limit));
        Ok(steps)
    }

    /// The default gateways, each with the interface's own address that it is asked from.
    fn gateways(&self) -> Vec<(IpAddr, IpAddr)> {
        let with_gateway = |(own, subnet): &(IpAddr, Subnet)| Some((*own, subnet.gateway?));
        self.addresses.iter().filter_map(with_gateway).collect()
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
            routes: routes_of(&subnet).collect(),
            addresses: vec![(address.parse().unwrap(), subnet)],
            mac,
            routers: Routers::Followed,
            probed: vec![],
            gateways: Gateways::Trusted,
            announce: Announce::AtOnce,
            port: None,
            access: None,
            shaping: None,
        }
    }

    #[test]
    fn the_address_is_on_before_the_link_comes_up_and_is_announced_last() {
        let steps = shape("10.20.1.17", "10.20.1.0/24", Some("10.20.1.1"))
            .steps()
            .unwrap();
        let mac = Some("0a:58:0a:14:01:11".parse().unwrap());
        let expected = [
            Step::Prepare { mac },
            Step::Address("10.20.1.17/24".parse().unwrap()),
            Step::Up,
            Step::Route {
                destination: "0.0.0.0/0".parse().unwrap(),
                gateway: "10.20.1.1".parse().unwrap(),
            },
            Step::Announce(vec!["10.20.1.17".parse().unwrap()]),
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
    fn the_lan_is_asked_before_anything_of_the_final_interface_shows() {
        let mut shape = shape("2001:db8::17", "2001:db8::/64", Some("2001:db8::1"));
        shape.probed = vec!["2001:db8::17".parse().unwrap()];
        shape.routers = Routers::Ignored;
        shape.gateways = Gateways::MustAnswer;
        shape.announce = Announce::Never;
        let steps = shape.steps().unwrap();
        let probed = vec!["2001:db8::17/64".parse().unwrap()];
        let expected = [Step::IgnoreRouters, Step::EnableIpv6, Step::Probe(probed)];
        assert_eq!(steps[..3], expected);
        let [own, gateway] = ["2001:db8::17", "2001:db8::1"].map(|raw| raw.parse().unwrap());
        let last = Step::FindGateways(vec![(own, gateway)]);
        assert_eq!(steps.last(), Some(&last));
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
        both.routes.extend(six.routes);
        let steps = both.steps().unwrap();
        let at = |wanted: &Step| steps.iter().position(|step| step == wanted);
        let addresses = ["10.20.1.17/24", "2001:db8::17/64"];
        for address in addresses.map(|a| Step::Address(a.parse().unwrap())) {
            assert!(at(&address).unwrap() < at(&Step::Up).unwrap());
        }
        let routes: Vec<_> = both.routes.iter().map(|r| r.dst.to_string()).collect();
        assert_eq!(routes, ["0.0.0.0/0", "::/0"]);
    }
}
