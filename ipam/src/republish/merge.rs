//! What the store is to hold of an interface that lives. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Compare, Revision, Write};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, BadRecord, Holder, LocalAttachment, NodeId,
    Phase, PoolName, PoolRecord, Previous, REMEMBERED_HOLDERS, Record as _, SchemaVersion, keys,
};

/// A key's record with its revision, or why it cannot be read; `None` for no key.
pub(super) type Seen<R> = Option<(Revision, Result<R, BadRecord>)>;

/// What the store holds of an attachment's keys, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    /// The attachment itself.
    pub(super) attachment: Seen<AttachmentRecord>,
    /// Its addresses; each of them is here.
    pub(super) addresses: BTreeMap<IpAddr, Seen<AddressRecord>>,
    /// The pools of its addresses that exist.
    pub(super) pools: BTreeMap<PoolName, PoolRecord>,
}

/// Attachments of this machine whose namespace is proven gone, as the store has them.
pub(super) type Gone = BTreeMap<AttachmentId, (Revision, AttachmentRecord)>;

/// What is to be done about one attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// The store has all of it.
    Standing,
    /// To be written, in one transaction.
    Write {
        /// What it rests on.
        compares: Vec<Compare>,
        /// What is written.
        writes: Vec<Write>,
    },
    /// Something is in the way; nothing of the attachment is written.
    Conflicts(Vec<Conflict>),
}

/// An interface that lives, and that the store cannot be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The interface.
    pub attachment: AttachmentId,
    /// Which of its addresses.
    pub address: IpAddr,
    /// What is in the way.
    pub obstacle: Obstacle,
}

/// What is in the way of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The store gives it to somebody else.
    Held(Box<Holder>),
    /// Its pool does not exist.
    NoPool(PoolName),
    /// Its pool has no subnet with it.
    NotInPool(PoolName),
    /// A record that must not be touched.
    Unreadable(BadRecord),
}

/// Decides what the store is to hold of `local`, which lives on the machine `node`.
pub(super) fn merge(local: &LocalAttachment, node: &NodeId, seen: &Stored, gone: &Gone) -> Merged {
    let mut merging = Merging {
        local,
        gone,
        compares: Vec::new(),
        writes: Vec::new(),
        conflicts: Vec::new(),
        displaced: BTreeMap::new(),
    };
    merging.attachment(node, seen.attachment.clone());
    for address in &local.addresses {
        let (ip, Some(record)) = (address.cidr.ip(), &address.record) else {
            continue;
        };
        let pool = seen.pools.get(&record.pool);
        let stored = seen.addresses.get(&ip).cloned().flatten();
        if let Err(obstacle) = merging.address(ip, record, stored, pool) {
            merging.conflicts.push(Conflict {
                attachment: local.attachment.clone(),
                address: ip,
                obstacle,
            });
        }
    }
    merging.finish()
}

/// One attachment's decision on its way.
struct Merging<'a> {
    local: &'a LocalAttachment,
    gone: &'a Gone,
    compares: Vec<Compare>,
    writes: Vec<Write>,
    conflicts: Vec<Conflict>,
    /// Attachments that lose an address to this one, and what they keep.
    displaced: BTreeMap<AttachmentId, AttachmentRecord>,
}

impl Merging<'_> {
    fn attachment(&mut self, node: &NodeId, seen: Seen<AttachmentRecord>) {
        let local = self.local;
        let wanted = AttachmentRecord {
            v: SchemaVersion,
            addresses: super::addresses_of(local).collect(),
            pod: local.pod.clone(),
            netns: Some(local.netns.clone()),
            node_id: node.clone(),
            incarnation: local.incarnation.clone(),
            phase: Phase::Live,
        };
        let key = keys::attachment(&local.attachment);
        let at = match seen {
            None => Revision::ABSENT,
            Some((at, Ok(record))) if record == wanted => {
                return self.compares.push(Compare::at(key, at));
            }
            Some((at, Ok(_))) => at,
            Some((_, Err(bad))) => {
                let addresses = wanted.addresses.iter();
                self.conflicts.extend(addresses.map(|address| Conflict {
                    attachment: local.attachment.clone(),
                    address: *address,
                    obstacle: Obstacle::Unreadable(bad.clone()),
                }));
                return;
            }
        };
        self.compares.push(Compare::at(key.as_str(), at));
        self.writes.push(Write::put(key, wanted.encode()));
    }

    fn address(
        &mut self,
        address: IpAddr,
        ours: &AddressRecord,
        seen: Seen<AddressRecord>,
        pool: Option<&PoolRecord>,
    ) -> Result<(), Obstacle> {
        let missing = || Obstacle::NoPool(ours.pool.clone());
        if pool.ok_or_else(missing)?.subnet_of(address).is_none() {
            return Err(Obstacle::NotInPool(ours.pool.clone()));
        }
        let (at, theirs) = match seen {
            None => (Revision::ABSENT, None),
            Some((at, record)) => (at, Some(record.map_err(Obstacle::Unreadable)?)),
        };
        if let Some(holder) = theirs.as_ref().and_then(|record| record.holder.as_ref()) {
            self.displace(address, holder)?;
        }
        let key = keys::address(address);
        self.compares.push(Compare::at(key.as_str(), at));
        let wanted = joined(ours, theirs.as_ref());
        if theirs.as_ref() != Some(&wanted) {
            self.writes.push(Write::put(key, wanted.encode()));
        }
        Ok(())
    }

    /// Takes `address` from its holder: this attachment in whatever life, or one proven gone.
    fn displace(&mut self, address: IpAddr, holder: &Holder) -> Result<(), Obstacle> {
        let id = &holder.attachment;
        if *id == self.local.attachment {
            return Ok(());
        }
        let proven = self.gone.get(id);
        let proven = proven.filter(|(_, record)| record.incarnation == holder.incarnation);
        let Some((_, record)) = proven else {
            return Err(Obstacle::Held(Box::new(holder.clone())));
        };
        let left = self.displaced.entry(id.clone());
        let left = left.or_insert_with(|| record.clone());
        left.addresses.retain(|held| *held != address);
        Ok(())
    }

    fn finish(mut self) -> Merged {
        if !self.conflicts.is_empty() {
            return Merged::Conflicts(self.conflicts);
        }
        if self.writes.is_empty() {
            return Merged::Standing;
        }
        for (id, left) in self.displaced {
            let key = keys::attachment(&id);
            let at = self.gone.get(&id).map_or(Revision::ABSENT, |(at, _)| *at);
            self.compares.push(Compare::at(key.as_str(), at));
            self.writes.push(match left.addresses.as_slice() {
                [] => Write::delete(key),
                _ => Write::put(key, left.encode()),
            });
        }
        Merged::Write {
            compares: self.compares,
            writes: self.writes,
        }
    }
}

/// Our record with what the store remembers besides: who had the address before, and the
/// reservation it is kept for where we know of none.
fn joined(ours: &AddressRecord, theirs: Option<&AddressRecord>) -> AddressRecord {
    let Some(theirs) = theirs else {
        return ours.clone();
    };
    let mut previous = ours.previous.clone();
    previous.extend(theirs.previous.iter().cloned());
    previous.extend(displaced_holder(ours, theirs));
    previous.sort_by(|a, b| {
        let key = |p: &Previous| (p.until, p.since, p.attachment.clone());
        key(b).cmp(&key(a))
    });
    let mut seen = Vec::new();
    previous.retain(|previous| {
        let life = (previous.attachment.clone(), previous.since);
        let new = !seen.contains(&life);
        seen.push(life);
        new
    });
    previous.truncate(REMEMBERED_HOLDERS);
    AddressRecord {
        reserved_for: ours
            .reserved_for
            .clone()
            .or_else(|| theirs.reserved_for.clone()),
        previous,
        ..ours.clone()
    }
}

/// The store's holder as one of the past: it had given the address up before ours got it.
fn displaced_holder(ours: &AddressRecord, theirs: &AddressRecord) -> Option<Previous> {
    let (ours, theirs) = (ours.holder.as_ref()?, theirs.holder.as_ref()?);
    let another = ours.attachment != theirs.attachment || ours.incarnation != theirs.incarnation;
    another.then(|| Previous {
        attachment: theirs.attachment.clone(),
        pod: theirs.pod.clone(),
        since: theirs.since,
        until: ours.since.max(theirs.since),
    })
}
