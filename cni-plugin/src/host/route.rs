//! Addresses of links, and routes out of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Netlink, NetlinkError};

/// A route by way of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// The link it goes out of.
    pub link: u32,
    /// Where to.
    pub destination: IpNetwork,
    /// By way of whom.
    pub gateway: IpAddr,
}

impl Netlink {
    /// Sets an address. IPv6 duplicate address detection is off: uniqueness is the store's.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn add_address(&mut self, index: u32, address: IpNetwork) -> Result<(), NetlinkError> {
        let mut message = AddressMessage::default();
        message.header.family = family(address.ip());
        message.header.prefix_len = address.prefix();
        message.header.index = index;
        message.header.scope = AddressScope::Universe;
        message
            .attributes
            .push(AddressAttribute::Local(address.ip()));
        message
            .attributes
            .push(AddressAttribute::Address(address.ip()));
        match address.broadcast() {
            IpAddr::V4(broadcast) => message
                .attributes
                .push(AddressAttribute::Broadcast(broadcast)),
            IpAddr::V6(_) => {
                message.header.flags = AddressHeaderFlags::Nodad;
                message
                    .attributes
                    .push(AddressAttribute::Flags(AddressFlags::Nodad));
            }
        }
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        let what = format!("set address {address}");
        self.change(&what, RouteNetlinkMessage::NewAddress(message), flags)
    }

    /// The link's addresses.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn addresses(&mut self, index: u32) -> Result<Vec<IpNetwork>, NetlinkError> {
        let listed = self.flagged_addresses(index)?;
        Ok(listed.into_iter().map(|(address, _)| address).collect())
    }

    /// Those of the link's addresses that the kernel does not use, because duplicate address
    /// detection found another's (`dadfailed`).
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn duplicates(&mut self, index: u32) -> Result<Vec<IpNetwork>, NetlinkError> {
        let listed = self.flagged_addresses(index)?.into_iter();
        let failed = listed.filter(|(_, flags)| flags.contains(AddressHeaderFlags::Dadfailed));
        Ok(failed.map(|(address, _)| address).collect())
    }

    /// Every address of the namespace, with the index of its link.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn all_addresses(&mut self) -> Result<Vec<(u32, IpNetwork)>, NetlinkError> {
        let listed = self.listed_addresses()?.into_iter();
        Ok(listed.map(|(link, address, _)| (link, address)).collect())
    }

    fn flagged_addresses(
        &mut self,
        index: u32,
    ) -> Result<Vec<(IpNetwork, AddressHeaderFlags)>, NetlinkError> {
        let listed = self.listed_addresses()?.into_iter();
        let of_link = listed.filter(|(link, ..)| *link == index);
        Ok(of_link
            .map(|(_, address, flags)| (address, flags))
            .collect())
    }

    fn listed_addresses(
        &mut self,
    ) -> Result<Vec<(u32, IpNetwork, AddressHeaderFlags)>, NetlinkError> {
        let all = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answers = self.dump("list addresses", &all)?;
        let addresses = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(address) => {
                let ip = address
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        AddressAttribute::Local(ip) => Some(*ip),
                        _ => None,
                    });
                let peer = address
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        AddressAttribute::Address(ip) => Some(*ip),
                        _ => None,
                    });
                let cidr = IpNetwork::new(ip.or(peer)?, address.header.prefix_len).ok()?;
                Some((address.header.index, cidr, address.header.flags))
            }
            _ => None,
        });
        Ok(addresses.collect())
    }

    /// Sets a route out of the link, by way of `gateway`.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn add_route(
        &mut self,
        index: u32,
        destination: IpNetwork,
        gateway: IpAddr,
    ) -> Result<(), NetlinkError> {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(destination.ip()),
            destination_prefix_length: destination.prefix(),
            table: RouteHeader::RT_TABLE_MAIN,
            protocol: RouteProtocol::Boot,
            scope: RouteScope::Universe,
            kind: RouteType::Unicast,
            ..RouteHeader::default()
        };
        if destination.prefix() > 0 {
            let network = RouteAddress::from(destination.network());
            message
                .attributes
                .push(RouteAttribute::Destination(network));
        }
        message
            .attributes
            .push(RouteAttribute::Gateway(gateway.into()));
        message.attributes.push(RouteAttribute::Oif(index));
        self.change(
            &format!("set route to {destination} via {gateway}"),
            RouteNetlinkMessage::NewRoute(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Whether the address is one of the namespace's own, on whichever link.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn is_own(&mut self, address: IpAddr) -> Result<bool, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(address);
        message.header.destination_prefix_length = if address.is_ipv4() { 32 } else { 128 };
        message
            .attributes
            .push(RouteAttribute::Destination(address.into()));
        let asked = RouteNetlinkMessage::GetRoute(message);
        match self.get(&format!("look for address {address}"), asked) {
            Ok(answers) => Ok(answers.iter().any(|answer| {
                matches!(answer, RouteNetlinkMessage::NewRoute(route)
                    if route.header.kind == RouteType::Local)
            })),
            // No route leads there, or the kernel has no IPv6.
            Err(NetlinkError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Every route of the namespace that has a next hop.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn routes(&mut self) -> Result<Vec<NextHop>, NetlinkError> {
        let all = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let answers = self.dump("list routes", &all)?;
        let routes = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewRoute(route) => describe_route(&route),
            _ => None,
        });
        Ok(routes.collect())
    }
}

pub(super) const fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn describe_route(route: &RouteMessage) -> Option<NextHop> {
    let ip = |address: &RouteAddress| match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    };
    let (mut link, mut destination, mut gateway) = (None, None, None);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(index) => link = Some(*index),
            RouteAttribute::Destination(address) => destination = ip(address),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            _ => {}
        }
    }
    let gateway = gateway?;
    let any = if gateway.is_ipv4() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    };
    let prefix = route.header.destination_prefix_length;
    let destination = IpNetwork::new(destination.unwrap_or(any), prefix).ok()?;
    Some(NextHop {
        link: link?,
        destination,
        gateway,
    })
}
