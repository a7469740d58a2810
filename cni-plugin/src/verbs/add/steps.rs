//! The steps of the plan, applied in the container's namespace.

use std::fs;
use std::io;
use std::net::IpAddr;

use berth_ipam::fault::checkpoint;
use berth_ipam::uptime_ms;
use berth_types::MacAddr;
use ipnetwork::IpNetwork;
use nix::errno::Errno;

use super::Work;
use super::build::Fault;
use super::neighbours::announce;
use crate::bandwidth;
use crate::clock::pause;
use crate::host::{Netlink, NetlinkError};
use crate::host_access;
use crate::ovs::Asked;
use crate::plan::Step;
use crate::spec::{CniError, RouteEntry};
use crate::verbs::detach;

/// For how long an interface may outlive its namespace, in milliseconds: the kernel removes it in
/// its own time, and until then it bears the hardware address that follows from its address.
const LINGERS_MS: u64 = 2000;

/// Where the steps are applied.
pub(super) struct Site<'a> {
    /// In the container's namespace.
    pub(super) netlink: &'a mut Netlink,
    /// The new link's index there.
    pub(super) index: u32,
    /// The port, from when it is asked for until it is switched.
    pub(super) port: &'a mut Option<Asked>,
}

impl Work<'_> {
    /// Applies one step; the route, when it set one.
    pub(super) fn take(
        &self,
        site: &mut Site<'_>,
        step: &Step,
    ) -> Result<Option<RouteEntry>, Fault> {
        let Site {
            netlink,
            index,
            port: asked,
        } = site;
        let index = *index;
        let mut set = None;
        match step {
            Step::IgnoreRouters => ignore_routers(self.id.ifname.as_str())?,
            Step::EnableIpv6 => enable_ipv6(self.id.ifname.as_str())?,
            Step::AddPort(port) => self.add_port(asked, port)?,
            Step::AwaitPort(_) => asked.as_mut().map_or(Ok(()), Asked::wait_applied)?,
            Step::Probe(addresses) => self.probe(netlink, index, addresses)?,
            Step::Prepare { mac } => self.prepare_link(netlink, index, *mac)?,
            Step::Address(address) => netlink.add_address(index, *address)?,
            Step::Up => netlink
                .link_up(index)
                .map_err(|error| self.explain(&error))?,
            Step::Route {
                destination,
                gateway,
            } => set = set_route(netlink, index, *destination, *gateway)?,
            Step::FindGateways(gateways) => self.find_gateways(netlink, index, gateways)?,
            Step::Announce(addresses) => announce(netlink, index, addresses)?,
            Step::GiveAccess(access) => host_access::apply(netlink, access)?,
            Step::Limit(shaping) => bandwidth::apply(netlink, index, shaping)?,
        }
        checkpoint(match step {
            Step::IgnoreRouters => "add.routers-ignored",
            Step::EnableIpv6 => "add.ipv6",
            Step::Probe(_) => "add.probed",
            Step::Prepare { .. } => "add.prepared",
            Step::AddPort(_) => "add.port",
            Step::AwaitPort(_) => "add.port.applied",
            Step::Address(_) => "add.addressed",
            Step::Up => "add.up",
            Step::Route { .. } => "add.routed",
            Step::FindGateways(_) => "add.gateways-found",
            Step::Announce(_) => "add.announced",
            Step::GiveAccess(_) => "add.access",
            Step::Limit(_) => "add.limited",
        });
        Ok(set)
    }

    fn prepare_link(
        &self,
        netlink: &mut Netlink,
        index: u32,
        mac: Option<MacAddr>,
    ) -> Result<(), Fault> {
        let alias = detach::mark(&self.incarnation);
        let begun = uptime_ms();
        let mut prepared = netlink.prepare_link(index, &alias, mac);
        while is_taken(&prepared) && uptime_ms().saturating_sub(begun) < LINGERS_MS {
            pause();
            prepared = netlink.prepare_link(index, &alias, mac);
        }
        prepared.map_err(|error| match (error.errno(), self.mac, mac) {
            (Some(Errno::EADDRINUSE), None, Some(mac)) => self.mac_conflict(mac).into(),
            _ => self.explain(&error).into(),
        })
    }
}

/// Of several interfaces with a default route the first one keeps it, as with the reference
/// plugins: `None` when the route was there already.
fn set_route(
    netlink: &mut Netlink,
    index: u32,
    destination: IpNetwork,
    gateway: IpAddr,
) -> Result<Option<RouteEntry>, CniError> {
    match netlink.add_route(index, destination, gateway) {
        Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(None),
        other => {
            other?;
            Ok(Some(RouteEntry {
                dst: destination,
                gw: Some(gateway),
            }))
        }
    }
}

/// Whether another interface bears the hardware address.
fn is_taken(prepared: &Result<(), NetlinkError>) -> bool {
    let error = prepared.as_ref().err();
    error.is_some_and(|error| error.errno() == Some(Errno::EADDRINUSE))
}

/// Keeps routers' advertisements from making addresses and routes. A kernel without IPv6 needs none.
fn ignore_routers(ifname: &str) -> Result<(), CniError> {
    let path = format!("/proc/sys/net/ipv6/conf/{ifname}/accept_ra");
    match fs::write(&path, b"0") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CniError::io(&path, &error)),
        _ => Ok(()),
    }
}

/// Allows IPv6 on the interface and on `lo`, where a runtime has switched it off.
fn enable_ipv6(ifname: &str) -> Result<(), CniError> {
    for link in [ifname, "lo"] {
        let path = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
        let off = fs::read(&path).is_ok_and(|value| value.starts_with(b"1"));
        if off {
            fs::write(&path, b"0").map_err(|error| CniError::io(&path, &error))?;
        }
    }
    Ok(())
}
