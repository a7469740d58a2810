//! Taking an interface away, and knowing that it is ours.

use std::path::Path;

use berth_types::{IfName, Incarnation, LocalAttachment, MacAddr};

use crate::files::Intent;
use crate::host::{Link, Netlink, NetlinkError, Netns, NetnsError};
use crate::spec::{CniError, Code};

/// The hardware address a link of that life is made with, before its address is known.
///
/// Locally administered and unicast; it marks a half-made link as ours.
pub(super) fn first_mac(incarnation: &Incarnation) -> MacAddr {
    let text = incarnation.to_string();
    let mut digits = text.as_bytes().chunks_exact(2).map(|pair| {
        str::from_utf8(pair)
            .ok()
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .unwrap_or(0)
    });
    let mut next = || digits.next().unwrap_or(0);
    let bytes = [0x02, next(), next(), next(), next(), next()];
    MacAddr::from_bytes(bytes).unwrap_or_else(|_| MacAddr::of_address([0, 0, 0, 0].into()))
}

/// Removes a complete interface. Gone already, or gone with its namespace, is as good.
///
/// # Errors
/// Code 11: the interface may still be there.
pub(super) fn remove_complete(local: &LocalAttachment) -> Result<(), CniError> {
    let ifname = &local.attachment.ifname;
    let ours = |link: &Link| {
        // The index alone is never reused in a namespace; the rest guards against a namespace
        // that was given the old one's path and inode number.
        let named = link.name == ifname.as_str() || link.mac == Some(local.link.mac);
        link.is_macvlan && named
    };
    let found = Netns::find(&local.netns).map_err(|error| still_there(ifname, &error))?;
    let Some(netns) = found else { return Ok(()) };
    let removed = netns.within(|| {
        let mut netlink = Netlink::open()?;
        match netlink.link_by_index(local.link.ifindex)? {
            Some(link) if ours(&link) => netlink.delete_link(link.index),
            _ => Ok(()),
        }
    });
    settle(ifname, removed)
}

/// Removes what an ADD that was killed may have made.
///
/// # Errors
/// Code 11: the interface may still be there.
pub(super) fn remove_half_made(intent: &Intent) -> Result<(), CniError> {
    let ifname = &intent.attachment.ifname;
    let found = Netns::find(&intent.netns).map_err(|error| still_there(ifname, &error))?;
    let Some(netns) = found else { return Ok(()) };
    let ours = |mac: MacAddr| Some(mac) == intent.mac || is_derived(mac);
    settle(ifname, remove_named(&netns, ifname, ours))
}

/// Removes an interface of which the node has no file any more, if it looks like ours.
///
/// # Errors
/// Code 11: the interface may still be there.
pub(super) fn remove_unknown(path: &Path, ifname: &IfName) -> Result<(), CniError> {
    match Netns::open(path) {
        Ok(netns) => settle(ifname, remove_named(&netns, ifname, is_derived)),
        Err(NetnsError::Absent(_) | NetnsError::NotOne(_) | NetnsError::Host(_)) => Ok(()),
        Err(error) => Err(still_there(ifname, &error)),
    }
}

fn remove_named(
    netns: &Netns,
    ifname: &IfName,
    ours: impl Fn(MacAddr) -> bool + Send,
) -> Result<Result<(), NetlinkError>, NetnsError> {
    netns.within(|| {
        let mut netlink = Netlink::open()?;
        match netlink.link_by_name(ifname)? {
            Some(link) if link.is_macvlan && link.mac.is_some_and(ours) => {
                netlink.delete_link(link.index)
            }
            _ => Ok(()),
        }
    })
}

/// Whether the hardware address has a form that this plugin derives from IP addresses.
fn is_derived(mac: MacAddr) -> bool {
    matches!(mac.bytes(), [0x0a, 0x58, ..] | [0x0e, ..])
}

fn settle(
    ifname: &IfName,
    removed: Result<Result<(), NetlinkError>, NetnsError>,
) -> Result<(), CniError> {
    match removed {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(still_there(ifname, &error)),
        Err(error) => Err(still_there(ifname, &error)),
    }
}

fn still_there(ifname: &IfName, error: &dyn std::error::Error) -> CniError {
    let message = format!("interface {ifname} could not be removed: {error}");
    CniError::new(Code::TryAgain, message).details(
        "its address stays held; the runtime tries again, or stop what keeps the namespace",
    )
}
