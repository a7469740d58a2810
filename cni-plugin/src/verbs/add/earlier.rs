//! What an earlier ADD under the same container and interface left, complete or not.

use std::net::IpAddr;

use berth_types::LocalAttachment;
use jiff::Timestamp;

use super::Work;
use crate::files::{Intent, Locked};
use crate::host::{Netlink, NetlinkError};
use crate::host_access;
use crate::spec::{CniError, CniResult, Code, IpamConfig};
use crate::verbs::detach;
use crate::verbs::source::{Life, Source};

/// What there was before.
pub(super) enum Earlier {
    /// The very interface, complete: this is its ADD's result.
    Stands(CniResult),
    /// An ADD that was killed; what it claimed is still to be found out.
    Unfinished,
    /// Nothing, or a complete interface that is gone by now.
    Ended,
}

/// Answers a repeated ADD with its first result, and clears away what an earlier life left.
pub(super) fn end_earlier_life(locked: &mut Locked, work: &Work<'_>) -> Result<Earlier, CniError> {
    let netns = Some(work.netns.at().path.as_path());
    if let Some(intent) = locked.left_intent()? {
        detach::remove_half_made(&intent, netns)?;
        if let Some(record) = locked.record()? {
            detach::remove_complete(&record, netns)?;
            work.leavings().remove(None, Some(&record))?;
        }
        work.leavings().remove(Some(&intent), None)?;
        work.succeed(&intent, locked)?;
        locked.remove_record()?;
        return Ok(Earlier::Unfinished);
    }
    let Some(record) = locked.record()? else {
        return Ok(Earlier::Ended);
    };
    let stands = record.netns == *work.netns.at() && work.stands(&record)?;
    if stands && record.attachment != work.id {
        let message = format!(
            "CNI_IFNAME: {} is the interface of {}",
            work.id.ifname, record.attachment
        );
        return Err(CniError::new(Code::InvalidEnvironment, message)
            .details("use another interface name, or delete that attachment first"));
    }
    if stands {
        work.asks_for(&record)?;
        let result = serde_json::from_value(record.result);
        return result.map(Earlier::Stands).map_err(|error| {
            CniError::new(Code::Internal, format!("the attachment's record: {error}"))
        });
    }
    // A runtime that starts a container anew under its old id: the address is passed on.
    detach::remove_complete(&record, netns)?;
    work.leavings().remove(None, Some(&record))?;
    work.pass_on(&Life::of_record(&record), locked)?;
    Ok(Earlier::Ended)
}

impl Work<'_> {
    /// Takes over from an ADD that was killed, whose claim may still be on its way to the store.
    fn succeed(&self, killed: &Intent, locked: &Locked) -> Result<(), CniError> {
        let life = Life::of_intent(killed);
        if killed.attachment != self.id || !self.inherits(&life) {
            return self.pass_on(&life, locked);
        }
        // This life's intent is about to replace the only trace of it.
        let source = Source::open(self.call, self.config)?;
        let Some(allocator) = source.allocator() else {
            return Ok(());
        };
        let ipam = &allocator.ipam;
        ipam.expect_late(&self.id, &killed.incarnation, Timestamp::now())
            .map_err(CniError::from)
    }

    /// Leaves what an earlier life holds to this one's claim, unless the network or the node was
    /// renamed since: then nobody would look for it under its old name again. Another plugin's
    /// addresses are given back, for they would be given a second time otherwise.
    fn pass_on(&self, life: &Life, locked: &Locked) -> Result<(), CniError> {
        if *life.id() == self.id && self.inherits(life) {
            return Ok(());
        }
        let source = Source::open(self.call, self.config)?;
        source.release(life, locked).map(drop)
    }

    /// Whether this call's claim takes over what that life has, as it is.
    const fn inherits(&self, life: &Life) -> bool {
        matches!(self.config.ipam, IpamConfig::Own(_)) && life.is_of_own_ipam()
    }

    /// An ADD that asks for other addresses than the standing interface has is no repetition.
    fn asks_for(&self, record: &LocalAttachment) -> Result<(), CniError> {
        let has = |asked: &IpAddr| record.addresses.iter().any(|a| a.cidr.ip() == *asked);
        let asked = self.wanted.wish.exact.iter().find(|asked| !has(asked));
        let Some(asked) = asked else {
            return Ok(());
        };
        let has: Vec<_> = record
            .addresses
            .iter()
            .map(|a| a.cidr.to_string())
            .collect();
        let message = format!(
            "address {asked} is asked for, while interface {} stands with {}",
            self.id.ifname,
            has.join(" and ")
        );
        Err(CniError::new(Code::InvalidConfig, message)
            .details("delete the attachment first, or ask for what it has"))
    }

    /// Whether the interface of `record` stands as it was made.
    fn stands(&self, record: &LocalAttachment) -> Result<bool, CniError> {
        let seen = self.netns.within(|| {
            let mut netlink = Netlink::open()?;
            let Some(link) = netlink.link_by_name(&self.id.ifname)? else {
                return Ok(None);
            };
            let addresses = netlink.addresses(link.index)?;
            Ok::<_, NetlinkError>(Some((link, addresses)))
        })??;
        let stands = seen.is_some_and(|(link, addresses)| {
            link.index == record.link.ifindex
                && link.up
                && record
                    .addresses
                    .iter()
                    .all(|address| addresses.contains(&address.cidr))
        });
        if !stands || record.link.host_end.is_none() {
            return Ok(stands);
        }
        let addresses: Vec<_> = record.addresses.iter().map(|own| own.cidr.ip()).collect();
        let services = self.link.host_access.as_ref();
        let services = services.map_or_else(Default::default, |a| a.service_cidrs.as_slice());
        let missing = host_access::missing(&self.netns, &record.attachment, &addresses, services)?;
        Ok(missing.is_none())
    }
}
