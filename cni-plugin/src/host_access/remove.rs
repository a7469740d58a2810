//! Taking it away: the pair, and with the node's last pair the tables.

use berth_ipam::fault::checkpoint;
use berth_types::{AttachmentId, IfName};

use super::masquerade::is_ours;
use super::nft::{Batch, Nft};
use super::{Ends, PREFIX};
use crate::host::{LinkKind, Netlink, NetlinkError};
use crate::spec::CniError;
use crate::vlan::NodeLock;

/// Removes what an attachment has of it. Nothing there is as good. Runs in the node's namespace.
///
/// A table that stays does nothing without pairs, and every later removal tries again: no container
/// is held up for it.
///
/// # Errors
/// Code 999 when the pair may still be there.
pub(crate) fn remove(id: &AttachmentId) -> Result<(), CniError> {
    let mut host = Netlink::open()?;
    remove_pair(&mut host, &Ends::of(id)?.node)?;
    checkpoint("access.unpaired");
    if let Err(error) = remove_unused(&mut host) {
        tracing::warn!(%error, "nftables tables stay");
    }
    Ok(())
}

/// Whether an attachment has a pair, as one has that was made before `hostAccess` was switched off.
///
/// # Errors
/// When that cannot be told.
pub(crate) fn stands(id: &AttachmentId) -> Result<bool, CniError> {
    let end = Netlink::open()?.link_by_name(&Ends::of(id)?.node)?;
    Ok(end.is_some_and(|end| end.kind == LinkKind::Veth))
}

/// Removes the pair by its end on the node; the routes go with it.
pub(super) fn remove_pair(host: &mut Netlink, end: &IfName) -> Result<(), NetlinkError> {
    let found = host.link_by_name(end)?;
    match found.filter(|end| end.kind == LinkKind::Veth) {
        Some(end) => host.delete_link(end.index),
        None => Ok(()),
    }
}

/// Removes the tables when no container has a pair any more.
fn remove_unused(host: &mut Netlink) -> Result<(), CniError> {
    let nft = match Nft::open() {
        Ok(nft) => nft,
        // A kernel without nf_tables has no tables.
        Err(error) => {
            tracing::debug!(%error, "no nftables");
            return Ok(());
        }
    };
    if !nft.tables()?.iter().any(|name| is_ours(name)) || has_pairs(host)? {
        return Ok(());
    }
    let _alone = NodeLock::take()?;
    if has_pairs(host)? {
        return Ok(());
    }
    let mut removed = Ok(());
    for name in nft.tables()?.into_iter().filter(|name| is_ours(name)) {
        let mut batch = Batch::new();
        batch.delete_table(&name);
        let gone = nft.make(&format!("remove nftables table {name}"), batch);
        // One that stays keeps no other.
        removed = removed.and(gone);
    }
    checkpoint("access.untabled");
    Ok(removed?)
}

fn has_pairs(host: &mut Netlink) -> Result<bool, NetlinkError> {
    let links = host.links()?;
    let is_end = |name: &str| {
        let digits = name.strip_prefix(PREFIX);
        digits.is_some_and(|digits| digits.len() == 10)
    };
    Ok(links
        .iter()
        .any(|link| link.kind == LinkKind::Veth && is_end(&link.name)))
}
