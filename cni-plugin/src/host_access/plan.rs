//! Which routes lead where. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use berth_types::MacAddr;
use ipnetwork::IpNetwork;

use super::{Ends, Table};
use crate::spec::HostAccess;

/// The node, as a container sees it at the other end of the pair: an address that no interface
/// has, in either family. Only the permanent neighbour entry for it counts.
const NODE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1));
const NODE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));

/// What is to be made for one attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The pair's names.
    pub ends: Ends,
    /// The MTU of both ends, in bytes.
    pub mtu: u32,
    /// The hardware addresses of the container's end and of the node's.
    pub macs: [MacAddr; 2],
    /// The node's routes, one to each of the container's addresses. Which of its addresses the node
    /// speaks from is the kernel's choice: a route with one of them would go for good with it, when
    /// it is taken away and set again.
    pub to_container: Vec<IpAddr>,
    /// The container's routes.
    pub to_node: Vec<Way>,
    /// What translates the traffic to services; absent when there are none.
    pub table: Option<Table>,
}

/// A route of the container by way of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Where to.
    pub destination: IpNetwork,
    /// The node, at the other end of the pair.
    pub gateway: IpAddr,
    /// The container's address that it then speaks from.
    pub source: IpAddr,
}

/// What makes containers with those `addresses` and a node with `node` as its own reach each other.
///
/// A family that the container does not have is left out: of the node's addresses and of services.
pub fn plan(
    config: &HostAccess,
    ends: Ends,
    (mtu, macs): (u32, [MacAddr; 2]),
    addresses: &[IpAddr],
    node: &[IpAddr],
) -> Access {
    let nodes_of = |family: IpAddr| {
        let same = move |own: &&IpAddr| own.is_ipv4() == family.is_ipv4();
        node.iter().filter(same).copied()
    };
    let wanted = addresses.iter().flat_map(|source| {
        let node = nodes_of(*source).map(IpNetwork::from);
        let services = config.service_cidrs.iter().copied();
        let services = services.filter(|cidr| cidr.is_ipv4() == source.is_ipv4());
        node.chain(services).map(|destination| Way {
            destination,
            gateway: if source.is_ipv4() { NODE_V4 } else { NODE_V6 },
            source: *source,
        })
    });
    // Services may be named twice, and at an address of the node.
    let mut to_node: Vec<Way> = Vec::new();
    for way in wanted {
        if !to_node.iter().any(|set| set.destination == way.destination) {
            to_node.push(way);
        }
    }
    Access {
        ends,
        mtu,
        macs,
        to_container: addresses.to_vec(),
        to_node,
        table: Table::of(&config.service_cidrs, node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(services: &[&str], addresses: &[&str], node: &[&str]) -> Access {
        let service_cidrs = services.iter().map(|cidr| cidr.parse().unwrap()).collect();
        let parsed = |list: &[&str]| -> Vec<IpAddr> {
            list.iter()
                .map(|address| address.parse().unwrap())
                .collect()
        };
        let ends = Ends::of(&"n1/pods/c1/eth0".parse().unwrap()).unwrap();
        let macs = ["02:00:00:00:00:01", "02:00:00:00:00:02"].map(|raw| raw.parse().unwrap());
        let config = HostAccess { service_cidrs };
        plan(
            &config,
            ends,
            (1500, macs),
            &parsed(addresses),
            &parsed(node),
        )
    }

    fn ways(access: &Access) -> Vec<String> {
        let shown =
            |way: &Way| format!("{} via {} src {}", way.destination, way.gateway, way.source);
        access.to_node.iter().map(shown).collect()
    }

    #[test]
    fn node_and_services_are_reached_by_the_pair_and_nothing_else() {
        let access = planned(
            &["10.96.0.0/12"],
            &["10.20.1.17"],
            &["10.20.1.5", "192.0.2.5"],
        );
        let expected = [
            "10.20.1.5/32 via 169.254.1.1 src 10.20.1.17",
            "192.0.2.5/32 via 169.254.1.1 src 10.20.1.17",
            "10.96.0.0/12 via 169.254.1.1 src 10.20.1.17",
        ];
        assert_eq!(ways(&access), expected);
        assert_eq!(
            access.to_container,
            ["10.20.1.17".parse::<IpAddr>().unwrap()]
        );
        assert!(access.table.is_some());
    }

    #[test]
    fn each_family_goes_by_itself() {
        let access = planned(
            &["10.96.0.0/12", "fd00:96::/112"],
            &["10.20.1.17", "fd00:20::17"],
            &["10.20.1.5", "fd00:20::5"],
        );
        let expected = [
            "10.20.1.5/32 via 169.254.1.1 src 10.20.1.17",
            "10.96.0.0/12 via 169.254.1.1 src 10.20.1.17",
            "fd00:20::5/128 via fe80::1 src fd00:20::17",
            "fd00:96::/112 via fe80::1 src fd00:20::17",
        ];
        assert_eq!(ways(&access), expected);
    }

    #[test]
    fn nothing_is_led_to_twice() {
        let services = ["10.96.0.0/12", "10.20.1.5/32", "10.96.0.0/12"];
        let access = planned(&services, &["10.20.1.17"], &["10.20.1.5"]);
        let expected = [
            "10.20.1.5/32 via 169.254.1.1 src 10.20.1.17",
            "10.96.0.0/12 via 169.254.1.1 src 10.20.1.17",
        ];
        assert_eq!(ways(&access), expected);
    }

    #[test]
    fn a_node_without_an_address_of_the_family_still_reaches_the_container() {
        let access = planned(&[], &["fd00:20::17"], &["10.20.1.5"]);
        assert_eq!(ways(&access), Vec::<String>::new());
        let own: IpAddr = "fd00:20::17".parse().unwrap();
        assert_eq!(access.to_container, [own]);
        assert_eq!(access.table, None, "no services");
    }
}
