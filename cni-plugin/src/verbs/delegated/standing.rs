//! Whether the interface that was given addresses still bears them, and taking it down.

use std::net::IpAddr;
use std::path::Path;

use berth_store::{Read, Store as _, StoreError};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, Holder, IfName, Incarnation, LocalAttachment,
    MacAddr, NetnsRef, Phase, Record as _, keys,
};

use crate::host::{Link, Netlink, NetlinkError, Netns};
use crate::spec::{CniError, Code};
use crate::verbs::allocator::Allocator;

/// An interface as it was seen when it was given its addresses.
#[derive(Clone, Debug)]
pub(super) struct Bearer {
    ifname: IfName,
    netns: NetnsRef,
    /// Nothing when the main plugin had not made it yet.
    mac: Option<MacAddr>,
    addresses: Vec<IpAddr>,
}

impl From<&LocalAttachment> for Bearer {
    fn from(local: &LocalAttachment) -> Self {
        Self {
            ifname: local.attachment.ifname.clone(),
            netns: local.netns.clone(),
            mac: (local.link.ifindex != 0).then_some(local.link.mac),
            addresses: local.addresses.iter().map(|a| a.cidr.ip()).collect(),
        }
    }
}

impl Bearer {
    /// What the store knows of an attachment that the node has no file of; with its life.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn stored(
        id: &AttachmentId,
        allocator: &Allocator,
    ) -> Result<Option<(Self, Incarnation)>, StoreError> {
        let reads = [Read::Get(keys::attachment(id).into())];
        let answer = allocator.wait(allocator.ipam.store().read(&reads))?;
        let entry = answer.lists.first().and_then(|found| found.first());
        // One that cannot be read is told by the release that follows.
        let record = entry.and_then(|entry| AttachmentRecord::decode(id, &entry.value).ok());
        let record = record.filter(|record| record.phase == Phase::Live);
        Ok(record.and_then(|record| {
            let bearer = Self {
                ifname: id.ifname.clone(),
                netns: record.netns?,
                mac: None,
                addresses: record.addresses,
            };
            Some((bearer, record.incarnation))
        }))
    }

    /// Whether the interface bears one of its addresses, in its namespace or at `also`.
    ///
    /// # Errors
    /// Code 11 when that cannot be told.
    pub(super) fn stands(&self, also: Option<&Path>) -> Result<bool, CniError> {
        self.with_link(also, |_, _| Ok(()))
            .map(|found| found.is_some())
    }

    /// Takes the interface down where it bears one of the addresses.
    ///
    /// # Errors
    /// Code 11: it may still answer for them.
    pub(super) fn take_down(&self, also: Option<&Path>) -> Result<(), CniError> {
        let down = |netlink: &mut Netlink, link: &Link| netlink.link_down(link.index);
        self.with_link(also, down).map(|_| ())
    }

    /// Whether the interface itself is gone, with or without its namespace; `also` as above.
    ///
    /// # Errors
    /// Code 11 when that cannot be told.
    pub(super) fn is_gone(&self, also: Option<&Path>) -> Result<bool, CniError> {
        let Some(netns) = self.find(also)? else {
            return Ok(true);
        };
        let Some(mac) = self.mac else {
            // It was not there yet: nothing would tell it from another.
            return Ok(false);
        };
        let found = netns.within(|| Netlink::open()?.link_by_name(&self.ifname));
        let found = found
            .map_err(|error| self.unknown(&error))?
            .map_err(|error| self.unknown(&error))?;
        Ok(found.is_none_or(|link| link.mac != Some(mac)))
    }

    fn with_link<T: Send>(
        &self,
        also: Option<&Path>,
        act: impl FnOnce(&mut Netlink, &Link) -> Result<T, NetlinkError> + Send,
    ) -> Result<Option<T>, CniError> {
        let Some(netns) = self.find(also)? else {
            return Ok(None);
        };
        let done = netns.within(|| {
            let mut netlink = Netlink::open()?;
            let Some(link) = netlink.link_by_name(&self.ifname)? else {
                return Ok(None);
            };
            let addresses = netlink.addresses(link.index)?;
            let bears = |address: &IpAddr| addresses.iter().any(|known| known.ip() == *address);
            let is_it = link.up
                && (self.mac.is_none() || link.mac == self.mac)
                && self.addresses.iter().any(bears);
            is_it.then(|| act(&mut netlink, &link)).transpose()
        });
        done.map_err(|error| self.unknown(&error))?
            .map_err(|error: NetlinkError| self.unknown(&error))
    }

    fn find(&self, also: Option<&Path>) -> Result<Option<Netns>, CniError> {
        Netns::find(&self.netns, also).map_err(|error| self.unknown(&error))
    }

    fn unknown(&self, error: &dyn std::error::Error) -> CniError {
        let message = format!("interface {} may still stand: {error}", self.ifname);
        CniError::new(Code::TryAgain, message).details(
            "its address stays held; the runtime tries again, or stop what keeps the namespace",
        )
    }
}

/// Whether that life of the attachment still holds one of the addresses.
///
/// # Errors
/// [`StoreError`].
pub(super) fn is_held(
    id: &AttachmentId,
    incarnation: &Incarnation,
    bearer: &Bearer,
    allocator: &Allocator,
) -> Result<bool, StoreError> {
    let keys = bearer.addresses.iter().map(|a| keys::address(*a));
    let reads: Vec<_> = keys.map(|key| Read::Get(key.into())).collect();
    let answer = allocator.wait(allocator.ipam.store().read(&reads))?;
    let records = answer.lists.iter().filter_map(|found| found.first());
    let mut records =
        records.filter_map(|entry| AddressRecord::decode("address", &entry.value).ok());
    let by_it = |holder: Holder| holder.attachment == *id && holder.incarnation == *incarnation;
    Ok(records.any(|record| record.holder.is_some_and(by_it)))
}
