//! CHECK: is the interface still what ADD made, as far as it is ours?

mod previous;

use std::fmt;
use std::io::{self, Write as _};
use std::net::IpAddr;

use berth_types::{AttachmentId, IfName, LocalAttachment};

use super::allocator::Allocator;
use crate::bandwidth::{self, Rate};
use crate::delegate::Delegate;
use crate::files::RunFiles;
use crate::host::{LinkKind, Netlink, NetlinkError, Netns};
use crate::host_access;
use crate::ovs::bridge;
use crate::spec::{
    CniError, Code, Config, Driver, Invocation, IpamConfig, LinkConfig, MainConfig, Verb,
};
use crate::wanted::attachment;
use previous::recorded_routes;
pub(super) use previous::{Previous, PreviousIp, recorded, recorded_ips};

/// Compares the interface and the store with the result of the ADD.
///
/// Only what is ours is compared: the link, its addresses, the routes by their gateways. Where the
/// result lists no address of the interface, the node's own record does. With the store away or
/// unusable the local evidence decides, and a warning goes to stderr.
///
/// # Errors
/// Code 7 without `prevResult`, 102 when the address has another holder, 103 when the kernel found
/// another's on the wire, 999 for what is missing; another IPAM plugin's own.
pub fn check(call: &Invocation, config: &MainConfig) -> Result<String, CniError> {
    let MainConfig {
        common: config,
        link,
        misspelt: _,
    } = config;
    let id = attachment(call, config)?;
    let previous = Previous::of(config)?;
    let record = recorded(&RunFiles::new(&config.run_dir), &id);
    let mut routes = previous.routes.clone();
    let mut ours = previous.of_interface(id.ifname.as_str());
    if ours.is_empty() {
        // A result that says nothing of the interface does not make it right.
        ours = recorded_ips(record.as_ref());
        routes.extend(recorded_routes(record.as_ref()));
    }
    let delegate = delegate_of(call, config, record.as_ref())?;
    if delegate.is_some() {
        // Another plugin names gateways that no route leads by.
        for ip in &mut ours {
            ip.gateway = ip
                .gateway
                .filter(|gw| routes.iter().any(|r| r.gw == Some(*gw)));
        }
    }
    let path = call
        .netns()
        .ok_or_else(|| CniError::new(Code::InvalidEnvironment, "CHECK needs CNI_NETNS"))?;
    let netns = Netns::open(path)?;
    check_interface(&netns, &id, &link.driver, &ours)?;
    if let Some(record) = record {
        check_port(&record)?;
        check_access(&netns, &record, link)?;
        check_limits(&netns, &record)?;
    }
    match delegate {
        Some(delegate) => delegate.pass_on(Verb::Check)?,
        None => check_store(config, &id, &ours)?,
    }
    Ok(String::new())
}

/// The other plugin that gave the addresses: by the record, or else by the configuration.
fn delegate_of(
    call: &Invocation,
    config: &Config,
    record: Option<&LocalAttachment>,
) -> Result<Option<Delegate>, CniError> {
    let path = call.path.as_deref();
    let found = match (record.map(|record| &record.ipam), &config.ipam) {
        (Some(Some(section)), _) => Delegate::find_recorded(config, section, path),
        (None, IpamConfig::Other(other)) => Delegate::find(config, other, path),
        (Some(None), _) | (None, IpamConfig::Own(_)) => return Ok(None),
    };
    found.map(Some)
}

fn check_interface(
    netns: &Netns,
    id: &AttachmentId,
    driver: &Driver,
    ours: &[PreviousIp],
) -> Result<(), CniError> {
    let ifname = &id.ifname;
    let seen = netns.within(|| {
        let mut netlink = Netlink::open()?;
        let Some(link) = netlink.link_by_name(ifname)? else {
            return Ok(None);
        };
        let addresses = netlink.addresses(link.index)?;
        let duplicates = netlink.duplicates(link.index)?;
        let routes = netlink.routes()?;
        Ok::<_, NetlinkError>(Some((link, addresses, duplicates, routes)))
    })??;
    let wrong = |what: String| wrong(ifname, what);
    let Some((link, addresses, duplicates, routes)) = seen else {
        return wrong("is missing".into());
    };
    let (kind, called) = match driver {
        Driver::Macvlan(_) => (LinkKind::Macvlan, "macvlan"),
        Driver::Ovs(_) => (LinkKind::Veth, "veth"),
    };
    if link.kind != kind {
        return wrong(format!("is no {called}"));
    }
    if !link.up {
        return wrong("is down".into());
    }
    for PreviousIp {
        address,
        gateway,
        interface: _,
    } in ours
    {
        if !addresses.contains(address) {
            return wrong(format!("has no address {address}"));
        }
        if duplicates.contains(address) {
            let message = format!("address {address} of {ifname} is another's on the wire as well");
            return Err(CniError::new(Code::AddressConflict, message)
                .details("duplicate address detection found it: see `ip -6 address` in there"));
        }
        // Of several interfaces with a default route the first one has it.
        let reached = |gateway: IpAddr| {
            routes.iter().any(|route| {
                let ours = route.link == link.index && route.gateway == gateway;
                let others = route.link != link.index && route.destination.prefix() == 0;
                ours || (others && route.gateway.is_ipv4() == gateway.is_ipv4())
            })
        };
        if let Some(gateway) = gateway.filter(|gateway| !reached(*gateway)) {
            return wrong(format!("has no route by way of {gateway}"));
        }
    }
    Ok(())
}

/// Whether the port is what the node's record says; a database that is away is a warning.
fn check_port(record: &LocalAttachment) -> Result<(), CniError> {
    let LocalAttachment {
        attachment, link, ..
    } = record;
    let Some(port) = &link.port else {
        return Ok(());
    };
    let end = Netlink::open()?.link_by_name(&port.name)?;
    if !end.is_some_and(|end| end.up) {
        return wrong(
            &attachment.ifname,
            format_args!("{} on the node is not up", port.name),
        );
    }
    match bridge::check(port, attachment, link.vlan) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(what)) => wrong(&attachment.ifname, what),
        Err(error) => {
            warn(&format!("the port is not compared: {error}"));
            Ok(())
        }
    }
}

/// Looks whether node and container still reach each other, where the ADD led them.
fn check_access(
    netns: &Netns,
    record: &LocalAttachment,
    link: &LinkConfig,
) -> Result<(), CniError> {
    if record.link.host_end.is_none() {
        return Ok(());
    }
    let addresses: Vec<_> = record.addresses.iter().map(|own| own.cidr.ip()).collect();
    let services = link.host_access.as_ref();
    let services = services.map_or_else(Default::default, |a| a.service_cidrs.as_slice());
    match host_access::missing(netns, &record.attachment, &addresses, services)? {
        None => Ok(()),
        Some(what) => wrong(&record.attachment.ifname, what),
    }
}

/// Compares the limits with what the ADD wrote down; result and configuration do not tell them.
fn check_limits(netns: &Netns, record: &LocalAttachment) -> Result<(), CniError> {
    let ifname = &record.attachment.ifname;
    let rate = |bits: Option<u64>| bits.and_then(Rate::from_bits);
    let (ingress, egress) = (
        rate(record.link.ingress_rate),
        rate(record.link.egress_rate),
    );
    if ingress.is_none() && egress.is_none() {
        return Ok(());
    }
    let seen = netns.within(|| {
        let mut netlink = Netlink::open()?;
        bandwidth::observe(&mut netlink, record.link.ifindex, &record.incarnation)
    })??;
    match bandwidth::missing(ingress, egress, seen) {
        None => Ok(()),
        Some(what) => wrong(ifname, what),
    }
}

fn wrong(ifname: &IfName, what: impl fmt::Display) -> Result<(), CniError> {
    let message = format!("interface {ifname} {what}");
    Err(CniError::new(Code::Internal, message).details("the container has to be started anew"))
}

/// Compares with the store; what cannot be compared is a warning, for the interface stands.
pub(super) fn check_store(
    config: &Config,
    id: &AttachmentId,
    ours: &[PreviousIp],
) -> Result<(), CniError> {
    if ours.is_empty() {
        return Ok(());
    }
    let allocator = match Allocator::open(config) {
        Ok(allocator) => allocator,
        Err(error) => {
            warn_not_compared(&error);
            return Ok(());
        }
    };
    for ip in ours {
        let address = ip.address.ip();
        let read = berth_ipam::listing::address(allocator.ipam.store(), address);
        let stored = match allocator.wait(read) {
            Ok(stored) => stored,
            Err(error) => {
                warn_not_compared(&error);
                return Ok(());
            }
        };
        let holder = stored
            .and_then(|stored| stored.record.ok())
            .and_then(|record| record.holder);
        match holder {
            Some(holder) if holder.attachment == *id => {}
            Some(holder) => {
                let message = format!("address {address} is held by {}", holder.attachment);
                return Err(CniError::new(Code::AddressHeld, message)
                    .details("two containers bear one address: stop this one"));
            }
            None => {
                let message = format!("address {address} is held by nobody in the store");
                return Err(CniError::new(Code::Internal, message)
                    .details("the container has to be started anew"));
            }
        }
    }
    Ok(())
}

fn warn_not_compared(error: &impl fmt::Display) {
    warn(&format!("not compared with the store: {error}"));
}

fn warn(what: &str) {
    // Nobody reads a warning that cannot be written.
    drop(writeln!(io::stderr(), "berth: warning: {what}"));
}
