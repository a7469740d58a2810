//! What the interface is to be, by configuration, request, and what the store gave.

use std::net::IpAddr;

use berth_types::{AttachmentId, Incarnation, LocalPort, MacAddr, Subnet, VlanId};

use super::{Announce, Gateways, NewLink, Port, Routers, Shape, vlan};
use ipnetwork::IpNetwork;

use crate::bandwidth::{Limits, Shaping};
use crate::host_access::{self, Access, Ends};
use crate::spec::{CniError, ConflictCheck, LinkConfig, RouteEntry};
use crate::verbs::pair_macs;

/// `IPV6_MIN_MTU` of linux/ipv6.h.
const IPV6_MTU: u32 = 1280;

/// What is known before the store has answered.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a> {
    /// The attachment.
    pub id: &'a AttachmentId,
    /// The node's addresses that the container is to reach past the LAN.
    pub node: &'a [IpAddr],
    /// The configuration.
    pub link: &'a LinkConfig,
    /// The limits that were asked for.
    pub limits: Limits,
    /// Which life of the attachment it is.
    pub incarnation: &'a Incarnation,
    /// The link that is made.
    pub made: &'a NewLink,
    /// The port that connects it.
    pub port: Option<&'a LocalPort>,
}

/// What the store gave, or another IPAM plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The addresses, each with its subnet.
    pub addresses: Vec<(IpAddr, Subnet)>,
    /// The routes by way of their gateways, and others that came with them.
    pub routes: Vec<RouteEntry>,
    /// Those that somebody else may still have.
    pub doubtful: Vec<IpAddr>,
    /// The hardware address.
    pub mac: MacAddr,
}

impl Granted {
    /// The VLAN that the interface is to be in.
    ///
    /// # Errors
    /// As [`vlan()`].
    pub fn vlan(&self, link: &LinkConfig) -> Result<Option<VlanId>, CniError> {
        vlan(link.vlan, self.addresses.iter().map(|(_, subnet)| subnet))
    }
}

impl Outline<'_> {
    /// What the interface is to be.
    ///
    /// # Errors
    /// As [`vlan()`] and [`Ends::of`]; code 7 for an MTU that IPv6 cannot live with.
    pub fn shape(&self, granted: &Granted) -> Result<Shape, CniError> {
        let link = self.link;
        let vlan = granted.vlan(link)?;
        self.carries(granted)?;
        let port = |port: &LocalPort| Port {
            place: port.clone(),
            mac: granted.mac,
            vlan,
        };
        Ok(Shape {
            addresses: granted.addresses.clone(),
            routes: granted.routes.clone(),
            mac: (!link.driver.keeps_parents_mac()).then_some(granted.mac),
            routers: if link.accept_ra {
                Routers::Followed
            } else {
                Routers::Ignored
            },
            probed: self.probed(granted),
            gateways: if link.gateway_check {
                Gateways::MustAnswer
            } else {
                Gateways::Trusted
            },
            announce: if link.announce {
                Announce::AtOnce
            } else {
                Announce::Never
            },
            port: self.port.map(port),
            access: self.access(granted)?,
            shaping: Shaping::of(self.limits, self.incarnation, self.made.mtu()),
        })
    }

    /// The kernel has no IPv6 on a link of a smaller MTU.
    fn carries(&self, granted: &Granted) -> Result<(), CniError> {
        let mtu = self.made.mtu();
        let mut addresses = granted.addresses.iter();
        if mtu < IPV6_MTU && addresses.any(|(address, _)| address.is_ipv6()) {
            let remedy = format!("an IPv6 address needs {IPV6_MTU} bytes at least: raise it");
            return Err(CniError::field("mtu", mtu, &remedy));
        }
        Ok(())
    }

    /// How node and container are to reach each other.
    fn access(&self, granted: &Granted) -> Result<Option<Access>, CniError> {
        let Some(config) = &self.link.host_access else {
            return Ok(None);
        };
        for (_, subnet) in &granted.addresses {
            let subnet = subnet.cidr;
            let overlaps = |cidr: &&IpNetwork| {
                cidr.contains(subnet.network()) || subnet.contains(cidr.network())
            };
            if let Some(cidr) = config.service_cidrs.iter().find(overlaps) {
                let remedy = format!("it overlaps the pool's {subnet}, which is on the LAN");
                return Err(CniError::field("serviceCidrs", cidr, &remedy));
            }
        }
        let addresses = granted.addresses.iter().map(|(address, _)| *address);
        let addresses: Vec<_> = addresses.collect();
        let end = (self.made.mtu(), pair_macs(self.incarnation));
        let ends = Ends::of(self.id)?;
        Ok(Some(host_access::plan(
            config, ends, end, &addresses, self.node,
        )))
    }

    /// The addresses that the LAN is asked for: all, or those that are doubtful.
    fn probed(&self, granted: &Granted) -> Vec<IpAddr> {
        let Granted {
            addresses,
            doubtful,
            routes: _,
            mac: _,
        } = granted;
        match self.link.conflict_check {
            ConflictCheck::Always => addresses.iter().map(|(address, _)| *address).collect(),
            ConflictCheck::Off | ConflictCheck::Takeover => doubtful.clone(),
        }
    }
}
