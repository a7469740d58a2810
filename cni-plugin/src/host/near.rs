//! Routes to what is at the other end of a link, and neighbours that are not asked for.

use std::net::IpAddr;

use berth_types::MacAddr;
use ipnetwork::IpNetwork;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourHeader, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
    RouteType,
};

use super::route::family;
use super::{Netlink, NetlinkError};

/// A route out of a link that needs no address of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearRoute {
    /// The link it goes out of.
    pub link: u32,
    /// Where to.
    pub destination: IpNetwork,
    /// By way of whom, who is taken to be at the other end (`onlink`); the destination itself is
    /// when absent.
    pub gateway: Option<IpAddr>,
    /// The address to speak from; the kernel's choice when absent.
    pub source: Option<IpAddr>,
    /// Of several to one destination the lowest counts; the kernel's default when absent.
    pub metric: Option<u32>,
}

impl Netlink {
    /// Sets the route. Where another leads to the destination with that metric this is `EEXIST`.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn add_near_route(&mut self, route: &NearRoute) -> Result<(), NetlinkError> {
        let NearRoute {
            link,
            destination,
            gateway,
            source,
            metric,
        } = *route;
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(destination.ip()),
            destination_prefix_length: destination.prefix(),
            table: RouteHeader::RT_TABLE_MAIN,
            protocol: RouteProtocol::Boot,
            scope: match gateway {
                Some(_) => RouteScope::Universe,
                None => RouteScope::Link,
            },
            kind: RouteType::Unicast,
            ..RouteHeader::default()
        };
        let network = RouteAddress::from(destination.network());
        message.attributes = vec![
            RouteAttribute::Destination(network),
            RouteAttribute::Oif(link),
        ];
        if let Some(gateway) = gateway {
            message.header.flags = RouteFlags::Onlink;
            message
                .attributes
                .push(RouteAttribute::Gateway(gateway.into()));
        }
        let source = source.map(|source| RouteAttribute::PrefSource(source.into()));
        message.attributes.extend(source);
        let metric = metric.map(RouteAttribute::Priority);
        message.attributes.extend(metric);
        self.change(
            &format!("set route to {destination}"),
            RouteNetlinkMessage::NewRoute(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// What the routes of the main table out of the link lead to.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn destinations(&mut self, link: u32) -> Result<Vec<IpNetwork>, NetlinkError> {
        let all = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let answers = self.dump("list routes", &all)?;
        let routes = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewRoute(route) => destination_by(&route, link),
            _ => None,
        });
        Ok(routes.collect())
    }

    /// Has the link know a neighbour for good, without asking.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn add_neighbour(
        &mut self,
        link: u32,
        address: IpAddr,
        mac: MacAddr,
    ) -> Result<(), NetlinkError> {
        let destination = match address {
            IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
            IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
        };
        let mut message = NeighbourMessage::default();
        message.header = NeighbourHeader {
            family: family(address),
            ifindex: link,
            state: NeighbourState::Permanent,
            kind: RouteType::Unicast,
            ..NeighbourHeader::default()
        };
        message.attributes = vec![
            NeighbourAttribute::Destination(destination),
            NeighbourAttribute::LinkLayerAddress(mac.bytes().to_vec()),
        ];
        self.change(
            &format!("set neighbour {address}"),
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }
}

fn destination_by(route: &RouteMessage, link: u32) -> Option<IpNetwork> {
    let main = route.header.table == RouteHeader::RT_TABLE_MAIN;
    let out_of = |attribute: &RouteAttribute| *attribute == RouteAttribute::Oif(link);
    if !main || !route.attributes.iter().any(out_of) {
        return None;
    }
    let address = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(v4)) => Some(IpAddr::V4(*v4)),
            RouteAttribute::Destination(RouteAddress::Inet6(v6)) => Some(IpAddr::V6(*v6)),
            _ => None,
        });
    IpNetwork::new(address?, route.header.destination_prefix_length).ok()
}
