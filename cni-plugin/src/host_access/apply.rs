//! Making the pair, its routes, and the table.

use std::fs;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd};

use berth_ipam::fault::checkpoint;
use berth_types::IfName;
use nix::errno::Errno;

use super::nft::Nft;
use super::remove::remove_pair;
use super::{Access, Table};
use crate::host::{NearRoute, Netlink, NetlinkError, Netns, Veth, switch_ipv6_off};
use crate::spec::{CniError, Code};
use crate::vlan::NodeLock;

/// Most addresses of the node that a container gets a route to.
const ADDRESSES: usize = 32;

/// The node's addresses, which a container reaches by its pair: those of the interface it stands on
/// first, of the node's default routes next, then the others. At most 32.
///
/// # Errors
/// [`NetlinkError`].
pub fn node_addresses(host: &mut Netlink, parent: u32) -> Result<Vec<IpAddr>, NetlinkError> {
    let routes = host.routes()?.into_iter();
    let defaults = routes.filter(|route| route.destination.prefix() == 0);
    let first: Vec<_> = [parent]
        .into_iter()
        .chain(defaults.map(|r| r.link))
        .collect();
    let place = |link: u32| first.iter().position(|known| *known == link);
    let mut all = host.all_addresses()?;
    all.sort_by_key(|(link, _)| place(*link).unwrap_or(usize::MAX));
    let mut found = Vec::new();
    for (_, address) in all {
        let address = address.ip();
        if is_reachable(address) && !found.contains(&address) && found.len() < ADDRESSES {
            found.push(address);
        }
    }
    Ok(found)
}

const fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback(),
    }
}

/// Gives node and container access to each other. Runs in the container's namespace, where
/// `inside` is open; the container's interface has its addresses.
///
/// Killed anywhere in between, what is left is the pair and the table, which `remove` finds by
/// their names.
///
/// # Errors
/// Code 11 when another call works on the tables for long; 999: the kernel's refusal.
pub fn apply(inside: &mut Netlink, access: &Access) -> Result<(), CniError> {
    let container = fs::File::open("/proc/thread-self/ns/net")
        .map_err(|error| CniError::io("/proc/thread-self/ns/net", &error))?;
    let node = Netns::node()?;
    node.within(|| make_pair(access, container.as_fd()))??;
    checkpoint("add.access.pair");
    settle(&access.ends.inside, access)?;
    lead_to_node(inside, access).map_err(|error| explain(&error))?;
    checkpoint("add.access.inside");
    node.within(|| lead_to_container(access))?
}

/// Makes the pair.
fn make_pair(access: &Access, container: BorrowedFd<'_>) -> Result<(), CniError> {
    let [mac, host_mac] = access.macs;
    let veth = Veth {
        host: access.ends.node.clone(),
        name: access.ends.inside.clone(),
        mtu: access.mtu,
        mac: Some(mac),
        host_mac,
    };
    let make = || -> Result<(), NetlinkError> {
        let mut host = Netlink::open()?;
        match host.create_veth(&veth, container) {
            // An earlier life's, whose files are lost.
            Err(error) if error.errno() == Some(Errno::EEXIST) => {
                remove_pair(&mut host, &veth.host)?;
                host.create_veth(&veth, container)
            }
            other => other,
        }
    };
    make().map_err(|error| match error.errno() {
        Some(Errno::EEXIST) => {
            let message = format!("hostAccess: {} exists already in the container", veth.name);
            CniError::new(Code::InvalidEnvironment, message)
                .details("remove that link, or use another interface name")
        }
        _ => explain(&error),
    })?;
    settle(&veth.host, access)
}

/// The container's side: routes to node and services by way of the pair.
fn lead_to_node(inside: &mut Netlink, access: &Access) -> Result<(), NetlinkError> {
    let name = &access.ends.inside;
    let Some(end) = inside.link_by_name(name)? else {
        return Err(NetlinkError::Refused {
            what: format!("look at link {name}"),
            errno: Errno::ENODEV,
            words: String::new(),
        });
    };
    inside.link_up(end.index)?;
    let [_, node_mac] = access.macs;
    for way in &access.to_node {
        inside.add_neighbour(end.index, way.gateway, node_mac)?;
        let route = NearRoute {
            link: end.index,
            destination: way.destination,
            gateway: Some(way.gateway),
            source: Some(way.source),
            // Of several interfaces the first one leads to the node, and the next when it is gone.
            metric: Some(end.index),
        };
        inside.add_near_route(&route)?;
    }
    Ok(())
}

/// The node's side: routes to the container, and the table.
fn lead_to_container(access: &Access) -> Result<(), CniError> {
    let lead = || -> Result<(), NetlinkError> {
        let mut host = Netlink::open()?;
        let Some(end) = host.link_by_name(&access.ends.node)? else {
            return Ok(());
        };
        let [mac, _] = access.macs;
        for address in &access.to_container {
            host.add_neighbour(end.index, *address, mac)?;
            host.add_near_route(&NearRoute {
                link: end.index,
                destination: (*address).into(),
                gateway: None,
                source: None,
                metric: None,
            })?;
        }
        Ok(())
    };
    lead().map_err(|error| explain(&error))?;
    checkpoint("add.access.routed");
    match &access.table {
        Some(table) => ensure(table),
        None => Ok(()),
    }
}

/// Makes the table unless it stands. The pair is there already: whoever removes tables at the same
/// time sees it, or is waited for.
fn ensure(table: &Table) -> Result<(), CniError> {
    let _alone = NodeLock::take()?;
    let make = || {
        let nft = Nft::open()?;
        let tables = nft.tables()?;
        if tables.contains(&table.name()) {
            return Ok(());
        }
        let what = format!("make nftables table {}", table.name());
        nft.make(&what, table.batch_instead_of(&tables))
    };
    make().map_err(|error: NetlinkError| {
        CniError::new(Code::Internal, format!("serviceCidrs: {error}")).details(
            "serviceCidrs needs nf_tables with nft_ct, nft_nat and nft_masq: load these kernel modules, or remove serviceCidrs",
        )
    })
}

/// Has one end, in the namespace of the thread, let through what it is for, and nothing else.
///
/// A packet may arrive there though its answer would take another way: of a container with two
/// interfaces the node's answers all go to the first. IPv6 may be off for new interfaces. And a
/// container must not be a router to its node: without IPv6 of its own it has none here.
fn settle(end: &IfName, access: &Access) -> Result<(), CniError> {
    let set = |name: &str, value: &[u8]| {
        let path = format!("/proc/sys/net/{name}");
        fs::write(&path, value).map_err(|error| CniError::io(&path, &error))
    };
    set(&format!("ipv4/conf/{end}/rp_filter"), b"0")?;
    if access.to_container.iter().any(IpAddr::is_ipv6) {
        set(&format!("ipv6/conf/{end}/accept_ra"), b"0")?;
        return set(&format!("ipv6/conf/{end}/disable_ipv6"), b"0");
    }
    switch_ipv6_off(end.as_str())
}

fn explain(error: &NetlinkError) -> CniError {
    let error_of = CniError::new(Code::Internal, format!("hostAccess: {error}"));
    error_of.details(if error.errno() == Some(Errno::EEXIST) {
        "the node has a route of somebody else's to this address: `ip route` shows it; remove it"
    } else {
        "the kernel refused: see its reason, and `dmesg`"
    })
}
