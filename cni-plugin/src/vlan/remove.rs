//! Removing VLAN sub-interfaces of ours that nobody uses any more.

use std::net::IpAddr;
use std::path::Path;

use berth_ipam::fault::checkpoint;
use berth_types::IfName;
use nix::errno::Errno;

use super::lock::NodeLock;
use super::stand::{LISTED, remove_sounder};
use super::{is_ours, sounder};
use crate::host::{Link, Netlink, NetlinkError};
use crate::spec::CniError;

/// Which sub-interfaces may have lost their last user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which<'a> {
    /// The one of that name.
    Named(&'a str),
    /// Any: nothing says on which one the interface stood.
    Any,
}

/// Removes those of ours that no interface stands on. Runs in the node's namespace.
///
/// One that stays because of an error does no harm, and the next call removes it.
///
/// # Errors
/// Code 11 when another call works on them for long; code 999.
pub(crate) fn remove_unused(which: Which<'_>) -> Result<(), CniError> {
    // Of a kernel that never had one this is quickly told.
    if !Path::new(LISTED).exists() {
        return Ok(());
    }
    let mut host = Netlink::open()?;
    if ours(&mut host, which)?.is_empty() {
        return Ok(());
    }
    let _alone = NodeLock::take()?;
    for link in ours(&mut host, which)? {
        remove_if_unused(&mut host, &link)?;
    }
    Ok(())
}

fn ours(host: &mut Netlink, which: Which<'_>) -> Result<Vec<Link>, NetlinkError> {
    let mut found = match which {
        Which::Any => host.vlans()?,
        Which::Named(name) => match name.parse::<IfName>() {
            Ok(name) => host.link_by_name(&name)?.into_iter().collect(),
            Err(_) => Vec::new(),
        },
    };
    found.retain(is_ours);
    Ok(found)
}

/// Gets a macvlan onto it that can only be there alone, and then removes both at once.
fn remove_if_unused(host: &mut Netlink, link: &Link) -> Result<(), NetlinkError> {
    let Some(name) = sounder(link.index) else {
        return Ok(());
    };
    remove_sounder(host, link.index)?;
    match host.create_sole_macvlan(&name, link.index) {
        Ok(()) => {}
        // Interfaces stand on it, in whichever namespace; something else has its frames; it has
        // gone by itself.
        Err(error) if is_answer(&error) => return Ok(()),
        Err(error) => return Err(error),
    }
    checkpoint("vlan.sounded");
    if is_adopted(host, link, &name)? {
        return remove_sounder(host, link.index);
    }
    host.delete_link(link.index)?;
    checkpoint("vlan.removed");
    Ok(())
}

fn is_answer(error: &NetlinkError) -> bool {
    matches!(
        error.errno(),
        Some(Errno::EINVAL | Errno::EBUSY | Errno::ENODEV)
    )
}

/// Whether somebody has put an address or another link on it.
fn is_adopted(host: &mut Netlink, link: &Link, sounder: &IfName) -> Result<bool, NetlinkError> {
    let others = host.links_on(link.index)?;
    let stacked = others.iter().any(|other| other.name != sounder.as_str());
    let addresses = host.addresses(link.index)?;
    let set = |address: IpAddr| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    };
    Ok(stacked || addresses.iter().any(|address| set(address.ip())))
}
