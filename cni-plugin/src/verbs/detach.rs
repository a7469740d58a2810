//! Taking an interface away, and knowing that it is ours.
//!
//! A link is known by its mark: its alias names the life that made it, set together with its final
//! hardware address. Before that it bears a first hardware address that only that life has. Names,
//! indexes and the inode numbers of namespaces are all used again, so none of them proves anything.

use std::path::Path;

use berth_ipam::fault::checkpoint;
use berth_store::{Read, Store as _, StoreError};
use berth_types::{
    AttachmentId, AttachmentRecord, IfName, Incarnation, LocalAttachment, MacAddr, NetnsRef, Phase,
    Record as _, keys,
};

use super::allocator::Allocator;
use crate::bandwidth;
use crate::files::{Intent, RunFiles};
use crate::host::{Link, LinkKind, Netlink, NetlinkError, Netns, NetnsError};
use crate::spec::{CniError, Code};

/// What every mark begins with.
pub(super) const MARK: &str = "berth ";

/// The alias of the links of that life.
pub(super) fn mark(incarnation: &Incarnation) -> String {
    format!("{MARK}{incarnation}")
}

/// The hardware address a link of that life is made with, before it is marked.
///
/// Locally administered and unicast.
pub(crate) fn first_mac(incarnation: &Incarnation) -> MacAddr {
    local_mac(0x02, incarnation)
}

/// The hardware addresses of the pair to the node: of the container's end, and of the node's.
pub(crate) fn pair_macs(incarnation: &Incarnation) -> [MacAddr; 2] {
    [0x06, 0x12].map(|first| local_mac(first, incarnation))
}

/// The hardware address of a port's end on the node.
pub(crate) fn port_mac(incarnation: &Incarnation) -> MacAddr {
    local_mac(0x16, incarnation)
}

fn local_mac(first: u8, incarnation: &Incarnation) -> MacAddr {
    let text = incarnation.to_string();
    let mut digits = text.as_bytes().chunks_exact(2).map(|pair| {
        let pair = str::from_utf8(pair).ok();
        pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .unwrap_or(0)
    });
    let mut next = || digits.next().unwrap_or(0);
    let bytes = [first, next(), next(), next(), next(), next()];
    MacAddr::from_bytes(bytes).unwrap_or_else(|_| MacAddr::of_address([0, 0, 0, 0].into()))
}

/// Whether a link is of that life. One without a mark is by the hardware address it was made with.
fn is_of(link: &Link, incarnation: &Incarnation, unmarked: Option<MacAddr>) -> bool {
    let marked = link
        .alias
        .as_deref()
        .is_some_and(|alias| alias.starts_with(MARK));
    matches!(link.kind, LinkKind::Macvlan | LinkKind::Veth)
        && if marked {
            link.alias == Some(mark(incarnation))
        } else {
            link.mac.is_some() && link.mac == unmarked
        }
}

/// Whether a link is marked for that life; `None` for one without a mark.
pub(super) fn marked_for(link: &Link, incarnation: &Incarnation) -> Option<bool> {
    let alias = link.alias.as_deref()?;
    alias.starts_with(MARK).then(|| alias == mark(incarnation))
}

/// Whether a complete interface stands where it was made, or at `also`.
///
/// # Errors
/// Code 11 when that cannot be told.
pub(super) fn stands(local: &LocalAttachment, also: Option<&Path>) -> Result<bool, CniError> {
    with_complete(local, also, |_, found| Ok(found.is_some()))
        .map(|standing| standing.unwrap_or(false))
}

/// Removes a complete interface. Gone already, or gone with its namespace, is as good.
///
/// # Errors
/// Code 11: the interface may still be there.
pub(super) fn remove_complete(
    local: &LocalAttachment,
    also: Option<&Path>,
) -> Result<(), CniError> {
    with_complete(local, also, |netlink, found| {
        if local.link.ingress_rate.is_none() {
            // Asking for what is not there would wait for all who change links on this node.
            return found.map_or(Ok(()), |link| netlink.delete_link(link.index));
        }
        delete(netlink, found, &local.incarnation)
    })
    .map(|_| ())
}

/// Does something inside the namespace of a complete interface, with its link when it is there.
fn with_complete<T: Send>(
    local: &LocalAttachment,
    also: Option<&Path>,
    act: impl FnOnce(&mut Netlink, Option<Link>) -> Result<T, NetlinkError> + Send,
) -> Result<Option<T>, CniError> {
    let ifname = &local.attachment.ifname;
    let find = Netns::find(&local.netns, also);
    let Some(netns) = find.map_err(|error| still_there(ifname, &error))? else {
        return Ok(None);
    };
    let done = netns.within(|| {
        let mut netlink = Netlink::open()?;
        let found = netlink.link_by_index(local.link.ifindex)?;
        let found = found.filter(|link| is_of(link, &local.incarnation, Some(local.link.mac)));
        act(&mut netlink, found)
    });
    settle(ifname, done).map(Some)
}

/// Removes what an ADD that was killed may have made.
///
/// # Errors
/// Code 11: the interface may still be there.
pub(super) fn remove_half_made(intent: &Intent, also: Option<&Path>) -> Result<(), CniError> {
    let ifname = &intent.attachment.ifname;
    let find = Netns::find(&intent.netns, also);
    let Some(netns) = find.map_err(|error| still_there(ifname, &error))? else {
        return Ok(());
    };
    remove_named(&netns, ifname, &intent.incarnation, intent.mac)
}

/// Whether anything says that an attachment of which the node has no file may have existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// The store has it, or cannot be asked.
    Some,
    /// The store has it not: whatever there was is gone.
    None,
}

/// Removes an interface of which the node has no file any more: the store knows its life and its
/// namespace.
///
/// # Errors
/// Code 11: the interface may still be there, or may be ours and the store cannot be asked.
pub(super) fn remove_unrecorded(
    id: &AttachmentId,
    path: Option<&Path>,
    files: &RunFiles,
    allocator: &Allocator,
) -> Result<Trace, CniError> {
    let ifname = &id.ifname;
    let stored = match stored(id, allocator) {
        Ok(stored) => stored,
        Err(error) => {
            return refuse_marked(ifname, path, files, &error).map(|()| Trace::Some);
        }
    };
    let Some(record) = stored.filter(|record| record.phase == Phase::Live) else {
        return Ok(Trace::None);
    };
    let Some(seen) = record.netns else {
        return Ok(Trace::Some);
    };
    remove_of_life(ifname, &record.incarnation, &seen, path).map(|()| Trace::Some)
}

/// Removes the interface of a life of which only the store tells, and that its own files do not.
///
/// # Errors
/// Code 11: the interface may still be there.
pub(super) fn remove_stored(
    id: &AttachmentId,
    incarnation: &Incarnation,
    seen: Option<&NetnsRef>,
) -> Result<(), CniError> {
    let Some(seen) = seen else {
        let message = format!("nothing says in which namespace {id} was");
        return Err(CniError::new(Code::TryAgain, message));
    };
    remove_of_life(&id.ifname, incarnation, seen, None)
}

fn remove_of_life(
    ifname: &IfName,
    incarnation: &Incarnation,
    seen: &NetnsRef,
    also: Option<&Path>,
) -> Result<(), CniError> {
    let find = Netns::find(seen, also);
    let Some(netns) = find.map_err(|error| still_there(ifname, &error))? else {
        return Ok(());
    };
    let first = first_mac(incarnation);
    remove_named(&netns, ifname, incarnation, Some(first))
}

fn stored(
    id: &AttachmentId,
    allocator: &Allocator,
) -> Result<Option<AttachmentRecord>, StoreError> {
    let reads = [Read::Get(keys::attachment(id).into())];
    let answer = allocator.wait(allocator.ipam.store().read(&reads))?;
    let entry = answer.lists.first().and_then(|found| found.first());
    // One that cannot be read is told by the release that follows.
    Ok(entry.and_then(|entry| AttachmentRecord::decode(id, &entry.value).ok()))
}

/// While the store cannot be asked, a marked link that is nobody else's may be the very one.
fn refuse_marked(
    ifname: &IfName,
    path: Option<&Path>,
    files: &RunFiles,
    cause: &StoreError,
) -> Result<(), CniError> {
    let Some(path) = path else { return Ok(()) };
    let netns = match Netns::open(path) {
        Ok(netns) => netns,
        Err(NetnsError::Absent(_) | NetnsError::NotOne(_) | NetnsError::Host(_)) => return Ok(()),
        Err(error) => return Err(still_there(ifname, &error)),
    };
    let found = settle(
        ifname,
        netns.within(|| Netlink::open()?.link_by_name(ifname)),
    )?;
    let alias = found
        .and_then(|link| link.alias)
        .filter(|alias| alias.starts_with(MARK));
    let Some(alias) = alias else { return Ok(()) };
    if files
        .records()
        .iter()
        .any(|record| mark(&record.incarnation) == alias)
    {
        return Ok(());
    }
    Err(still_there(ifname, cause))
}

fn remove_named(
    netns: &Netns,
    ifname: &IfName,
    incarnation: &Incarnation,
    unmarked: Option<MacAddr>,
) -> Result<(), CniError> {
    let removed = netns.within(|| {
        let mut netlink = Netlink::open()?;
        let found = netlink.link_by_name(ifname)?;
        let found = found.filter(|link| is_of(link, incarnation, unmarked));
        delete(&mut netlink, found, incarnation)
    });
    settle(ifname, removed)
}

/// Removes a link that was found, and what limits on it left in the namespace, also without it.
pub(super) fn delete(
    netlink: &mut Netlink,
    found: Option<Link>,
    incarnation: &Incarnation,
) -> Result<(), NetlinkError> {
    found.map_or(Ok(()), |link| netlink.delete_link(link.index))?;
    checkpoint("detach.unlinked");
    bandwidth::remove(netlink, incarnation)
}

pub(super) fn settle<T>(
    ifname: &IfName,
    done: Result<Result<T, NetlinkError>, NetnsError>,
) -> Result<T, CniError> {
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(still_there(ifname, &error)),
        Err(error) => Err(still_there(ifname, &error)),
    }
}

pub(super) fn still_there(ifname: &IfName, error: &dyn std::error::Error) -> CniError {
    let message = format!("interface {ifname} could not be removed: {error}");
    CniError::new(Code::TryAgain, message).details(
        "its address stays held; the runtime tries again, or stop what keeps the namespace",
    )
}
