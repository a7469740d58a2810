//! What the store says is held, read before anything else is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use berth_store::{Answer, KeyRange, Read, Revision, Store, StoreError};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, BadRecord, NodeName, PoolName, PoolRecord, keys,
};

use super::Monotonic;
use crate::record::{decode, list, one};

/// How many keys are asked for in one request; etcd allows 128 operations.
const KEYS_PER_READ: usize = 100;

/// A key's record with the revision that wrote it, or why it cannot be read.
pub(super) type Seen<R> = (Revision, Result<R, BadRecord>);

/// The addresses that have a record, and the attachments that may hold them.
///
/// Only reading makes one, and it knows when it was read: what is compared with it must have been
/// looked at later.
#[derive(Clone, Debug)]
pub struct Allocations {
    pub(super) revision: Revision,
    pub(super) finished: Monotonic,
    pub(super) closed: bool,
    pub(super) addresses: BTreeMap<IpAddr, Seen<AddressRecord>>,
    pub(super) attachments: BTreeMap<AttachmentId, Seen<AttachmentRecord>>,
    /// How many addresses each pool hands out.
    pub(super) pools: BTreeMap<PoolName, u64>,
    pub(super) wanted: BTreeSet<IpAddr>,
}

impl Allocations {
    /// Reads all there are, at one revision. `clock` is asked once the answer is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read(
        store: &impl Store,
        clock: impl FnOnce() -> Monotonic,
    ) -> Result<Self, StoreError> {
        let prefixes = [
            keys::ATTACHMENTS,
            keys::POOLS,
            keys::WANTED,
            keys::ADDRESSES,
        ];
        let lists = prefixes.map(|prefix| Read::List(KeyRange::prefix(prefix)));
        let mut reads = vec![Read::Get(keys::CLOSED.into())];
        reads.extend(lists);
        let answer = store.read(&reads).await?;
        let mut found = Self::of(&answer);
        found.addresses = addresses(&answer, 4);
        found.finished = clock();
        Ok(found)
    }

    /// Reads what the attachments of one node hold: enough for the node itself, and far less.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_node(
        store: &impl Store,
        node: &NodeName,
        clock: impl FnOnce() -> Monotonic,
    ) -> Result<Self, StoreError> {
        let prefixes = [&keys::attachments_of(node), keys::POOLS, keys::WANTED];
        let lists = prefixes.map(|prefix| Read::List(KeyRange::prefix(prefix)));
        let mut reads = vec![Read::Get(keys::CLOSED.into())];
        reads.extend(lists);
        let mut found = Self::of(&store.read(&reads).await?);
        let attached = found.attachments.values();
        let held = attached.filter_map(|(_, record)| record.as_ref().ok());
        let held: BTreeSet<_> = held.flat_map(addresses_of).collect();
        let held: Vec<_> = held.into_iter().collect();
        for some in held.chunks(KEYS_PER_READ) {
            let reads = some.iter().map(|a| Read::Get(keys::address(*a).into()));
            let answer = store.read(&reads.collect::<Vec<_>>()).await?;
            for n in 0..some.len() {
                found.addresses.extend(addresses(&answer, n));
            }
        }
        found.finished = clock();
        Ok(found)
    }

    /// The revision of the store.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// When the last answer was there.
    pub const fn finished(&self) -> Monotonic {
        self.finished
    }

    /// Everything but the addresses and the time.
    fn of(answer: &Answer) -> Self {
        let attachments = list(answer, 1).iter().filter_map(|entry| {
            let id = keys::parse_attachment(&entry.key)?;
            Some((id, (entry.revision, decode(entry).map(|(_, r)| r))))
        });
        let pools = list(answer, 2).iter().filter_map(|entry| {
            let (_, pool) = decode::<PoolRecord>(entry).ok()?;
            Some((keys::parse_pool(&entry.key)?, pool.size()))
        });
        let wanted = list(answer, 3).iter();
        Self {
            revision: answer.revision,
            finished: Monotonic::default(),
            closed: one(answer, 0).is_some(),
            addresses: BTreeMap::new(),
            attachments: attachments.collect(),
            pools: pools.collect(),
            wanted: wanted.filter_map(|e| keys::parse_wanted(&e.key)).collect(),
        }
    }
}

/// The addresses an attachment names, as numbers: an IPv4 address in IPv6's clothes is the same.
pub(super) fn addresses_of(record: &AttachmentRecord) -> impl Iterator<Item = IpAddr> {
    record.addresses.iter().map(IpAddr::to_canonical)
}

fn addresses(answer: &Answer, n: usize) -> BTreeMap<IpAddr, Seen<AddressRecord>> {
    let entries = list(answer, n).iter();
    let found = entries.filter_map(|entry| {
        let address = keys::parse_address(&entry.key)?.to_canonical();
        Some((address, (entry.revision, decode(entry).map(|(_, r)| r))))
    });
    found.collect()
}
