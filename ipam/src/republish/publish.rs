//! Writing what lives, one attachment at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use berth_store::{
    Compare, Entry, KeyRange, Outcome, Read, Revision, Store, StoreError, Txn, Write,
};
use berth_types::{
    AttachmentId, AttachmentRecord, LocalAttachment, NodeId, PoolName, PoolRecord, keys,
};

use super::local::Local;
use super::merge::{Conflict, Gone, Merged, Stored, merge};
use super::{Basis, RepublishError, addresses_of};
use crate::Ipam;
use crate::record::{decode, list, one, parse};

/// How often an attachment is decided anew because its records changed.
const ATTEMPTS: u32 = 10;

/// An attachment that the store has of this machine, and the node has no complete interface of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Which.
    pub attachment: AttachmentId,
    /// What it holds.
    pub addresses: Vec<IpAddr>,
    /// Whether its end is certain.
    pub proof: Proof,
}

/// Whether an attachment's end is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Its namespace is gone.
    Gone,
    /// Its namespace may exist, or is not known.
    None,
}

/// How the writing of one attachment ended.
pub(super) enum Ended {
    Written,
    Standing,
    Conflicts(Vec<Conflict>),
}

/// What all attachments of one pass have in common.
pub(super) struct Publisher<'a, S> {
    store: &'a S,
    node: &'a NodeId,
    basis: &'a Basis,
    gone: Gone,
    unproven: BTreeMap<AttachmentId, Vec<IpAddr>>,
}

impl<'a, S: Store> Publisher<'a, S> {
    /// Reads what the store has of this node, and tells what of it lives.
    ///
    /// # Errors
    /// [`RepublishError::Store`].
    pub(super) async fn new(
        ipam: &'a Ipam<S>,
        basis: &'a Basis,
        local: &Local,
    ) -> Result<Self, RepublishError> {
        let mine = KeyRange::prefix(keys::attachments_of(&ipam.node.name));
        let answer = ipam.store.read(&[Read::List(mine)]).await?;
        let live: BTreeSet<_> = local.live.iter().map(|a| &a.attachment).collect();
        let (mut gone, mut unproven) = (Gone::new(), BTreeMap::new());
        for entry in list(&answer, 0) {
            let Some((id, at, record)) = attachment(entry) else {
                continue;
            };
            // Another machine's, or without an interface: not for this node to say.
            if record.node_id != ipam.node.id || record.addresses.is_empty() || live.contains(&id) {
                continue;
            }
            let netns = record.netns.as_ref();
            if netns.is_some_and(|netns| !local.namespaces.may_have(netns)) {
                gone.insert(id, (at, record));
            } else {
                unproven.insert(id, record.addresses);
            }
        }
        Ok(Self {
            store: &ipam.store,
            node: &ipam.node.id,
            basis,
            gone,
            unproven,
        })
    }

    /// What the store has of this machine that does not live here, in order.
    pub(super) fn stale(&self) -> Vec<Stale> {
        let gone = self
            .gone
            .iter()
            .map(|(id, (_, record))| (id, &record.addresses, Proof::Gone));
        let unproven = self
            .unproven
            .iter()
            .map(|(id, held)| (id, held, Proof::None));
        let mut stale: Vec<_> = gone
            .chain(unproven)
            .map(|(id, addresses, proof)| Stale {
                attachment: id.clone(),
                addresses: addresses.clone(),
                proof,
            })
            .collect();
        stale.sort_by(|a, b| a.attachment.cmp(&b.attachment));
        stale
    }

    /// Writes one attachment, unless it stands or something is in the way.
    ///
    /// # Errors
    /// [`RepublishError`].
    pub(super) async fn publish(&self, local: &LocalAttachment) -> Result<Ended, RepublishError> {
        for _ in 0..ATTEMPTS {
            let seen = self.stored(local).await?;
            let gone = self.gone_among(&seen).await?;
            match merge(local, self.node, &seen, &gone) {
                Merged::Standing => return Ok(Ended::Standing),
                Merged::Conflicts(found) => return Ok(Ended::Conflicts(found)),
                Merged::Write { compares, writes } => {
                    if self.commit(compares, writes).await? {
                        return Ok(Ended::Written);
                    }
                }
            }
        }
        Err(RepublishError::Contended(local.attachment.to_string()))
    }

    /// `false` when it was refused or its outcome is unknown: to be decided anew, which finds it
    /// standing if it was made.
    async fn commit(
        &self,
        mut compares: Vec<Compare>,
        writes: Vec<Write>,
    ) -> Result<bool, RepublishError> {
        compares.push(Compare::at(keys::CLOSED, self.basis.closed_at));
        let txn = Txn {
            compares,
            writes,
            otherwise: vec![Read::Get(keys::CLOSED.into())],
        };
        match self.store.commit(&txn).await {
            Ok(Outcome::Committed(_)) => Ok(true),
            Ok(Outcome::Refused(answer)) => {
                if self.basis.stands(&answer) {
                    Ok(false)
                } else {
                    Err(RepublishError::ClosureChanged)
                }
            }
            Err(StoreError::OutcomeUnknown { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Those of the holders of addresses that are proven gone, as the store has them at present:
    /// they may have lost another address meanwhile.
    async fn gone_among(&self, seen: &Stored) -> Result<Gone, RepublishError> {
        let records = seen.addresses.values().flatten();
        let records = records.filter_map(|(_, record)| record.as_ref().ok());
        let holders = records.filter_map(|record| record.holder.as_ref());
        let mut gone = Gone::new();
        for holder in holders.filter(|holder| self.gone.contains_key(&holder.attachment)) {
            let id = holder.attachment.clone();
            let read = [Read::Get(keys::attachment(&id).into())];
            let found = parse::<AttachmentRecord>(&self.store.read(&read).await?, 0)?;
            let was = self.gone.get(&id).map(|(_, record)| &record.incarnation);
            let found = found.filter(|(_, record)| Some(&record.incarnation) == was);
            gone.extend(found.map(|found| (id, found)));
        }
        Ok(gone)
    }

    /// Reads all keys of an attachment, its pools included, at one moment.
    async fn stored(&self, local: &LocalAttachment) -> Result<Stored, RepublishError> {
        let addresses: Vec<_> = addresses_of(local).collect();
        let records = local.addresses.iter().filter_map(|a| a.record.as_ref());
        let pools: BTreeSet<PoolName> = records.map(|record| record.pool.clone()).collect();
        let mut wanted = vec![keys::attachment(&local.attachment)];
        wanted.extend(pools.iter().map(keys::pool));
        wanted.extend(addresses.iter().map(|address| keys::address(*address)));
        let reads: Vec<_> = wanted
            .into_iter()
            .map(|key| Read::Get(key.into()))
            .collect();
        let answer = self.store.read(&reads).await?;
        let mut stored = Stored {
            attachment: one(&answer, 0).map(seen),
            ..Stored::default()
        };
        let first_address = 1 + pools.len();
        for (n, name) in pools.into_iter().enumerate() {
            let found = parse::<PoolRecord>(&answer, 1 + n)?;
            stored.pools.extend(found.map(|(_, pool)| (name, pool)));
        }
        for (n, address) in addresses.into_iter().enumerate() {
            let found = one(&answer, first_address + n).map(seen);
            stored.addresses.insert(address, found);
        }
        Ok(stored)
    }
}

fn seen<R: berth_types::Record>(entry: &Entry) -> (Revision, Result<R, berth_types::BadRecord>) {
    (entry.revision, decode(entry).map(|(_, record)| record))
}

fn attachment(entry: &Entry) -> Option<(AttachmentId, Revision, AttachmentRecord)> {
    let id = keys::parse_attachment(&entry.key)?;
    let (at, record) = decode(entry).ok()?;
    Some((id, at, record))
}
