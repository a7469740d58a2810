//! Taking an interface away, and knowing that it is ours.

use std::path::Path;

use berth_store::{Read, Store as _};
use berth_types::{
    AttachmentId, AttachmentRecord, IfName, Incarnation, LocalAttachment, MacAddr, Phase,
    Record as _, keys,
};

use super::allocator::Allocator;
use crate::files::{Intent, RunFiles};
use crate::host::{Link, Netlink, NetlinkError, Netns, NetnsError};
use crate::spec::{CniError, Code, Config};

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

/// Removes an interface of which the node has no file any more, if it is ours.
///
/// The namespace's path may have been given to another container meanwhile: what that one's record
/// names is not touched. A hardware address of our own form tells the rest, and where one was
/// asked for, the store does.
///
/// # Errors
/// Code 11: the interface may still be there.
pub(super) fn remove_unknown(
    path: &Path,
    id: &AttachmentId,
    files: &RunFiles,
    config: &Config,
) -> Result<(), CniError> {
    let ifname = &id.ifname;
    let netns = match Netns::open(path) {
        Ok(netns) => netns,
        Err(NetnsError::Absent(_) | NetnsError::NotOne(_) | NetnsError::Host(_)) => return Ok(()),
        Err(error) => return Err(still_there(ifname, &error)),
    };
    let seen = netns.within(|| Netlink::open()?.link_by_name(ifname));
    let seen = seen.map_err(|error| still_there(ifname, &error))?;
    let found = seen.map_err(|error| still_there(ifname, &error))?;
    let Some(link) = found.filter(|link| link.is_macvlan) else {
        return Ok(());
    };
    let inode = netns.at().inode;
    let is_anothers =
        |record: &LocalAttachment| record.netns.inode == inode && record.link.ifindex == link.index;
    if files.records().iter().any(is_anothers) {
        return Ok(());
    }
    if link.mac.is_some_and(is_derived) || is_stored(config, id, inode)? {
        let removed = netns.within(|| Netlink::open()?.delete_link(link.index));
        return settle(ifname, removed);
    }
    Ok(())
}

/// Whether the store says that the attachment lives in that namespace.
///
/// # Errors
/// Code 11 when it cannot be asked: the link may be ours, so its address must stay held.
fn is_stored(config: &Config, id: &AttachmentId, inode: u64) -> Result<bool, CniError> {
    let allocator = Allocator::open(config)?;
    let reads = [Read::Get(keys::attachment(id).into())];
    let answer = allocator.wait(allocator.ipam.store().read(&reads));
    let answer = answer.map_err(|error| still_there(&id.ifname, &error))?;
    let stored = answer.lists.first().and_then(|found| found.first());
    let stored = stored.and_then(|entry| AttachmentRecord::decode(id, &entry.value).ok());
    Ok(stored.is_some_and(|record| {
        record.phase == Phase::Live && record.netns.is_some_and(|netns| netns.inode == inode)
    }))
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
