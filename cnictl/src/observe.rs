//! What the store holds, as plain data of one moment.

use std::net::IpAddr;

use berth_store::{Answer, Entry, KeyRange, Read, Revision, Store, StoreError};
use berth_types::{AddressRecord, BadRecord, BlockRecord, PoolName, PoolRecord, Record, keys};

/// A key's record, or why it cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct Found<R> {
    /// The key without what all keys of its kind begin with.
    pub(crate) name: String,
    /// The revision that wrote it.
    pub(crate) revision: Revision,
    /// What it says.
    pub(crate) record: Result<R, BadRecord>,
}

/// Everything about pools and addresses, all as of one revision, each in key order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Every pool.
    pub(crate) pools: Vec<Found<PoolRecord>>,
    /// Every block that a node has.
    pub(crate) blocks: Vec<Found<BlockRecord>>,
    /// Every address that has a record.
    pub(crate) addresses: Vec<Found<AddressRecord>>,
}

impl Snapshot {
    /// Reads all there is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn read(store: &impl Store) -> Result<Self, StoreError> {
        let all = [keys::POOLS, keys::BLOCKS, keys::ADDRESSES];
        let answer = store
            .read(&all.map(|prefix| Read::List(KeyRange::prefix(prefix))))
            .await?;
        Ok(Self {
            pools: found(&answer, 0, keys::POOLS),
            blocks: found(&answer, 1, keys::BLOCKS),
            addresses: found(&answer, 2, keys::ADDRESSES),
        })
    }

    /// Reads every pool, and the record of one address.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn of_address(
        store: &impl Store,
        address: IpAddr,
    ) -> Result<Self, StoreError> {
        let reads = [
            Read::List(KeyRange::prefix(keys::POOLS)),
            Read::Get(keys::address(address).into()),
        ];
        let answer = store.read(&reads).await?;
        Ok(Self {
            pools: found(&answer, 0, keys::POOLS),
            blocks: Vec::new(),
            addresses: found(&answer, 1, keys::ADDRESSES),
        })
    }

    /// The pool of that name, readable or not.
    pub(crate) fn pool(&self, name: &PoolName) -> Option<&Found<PoolRecord>> {
        self.pools.iter().find(|pool| pool.name == name.as_str())
    }

    /// The pool one of whose subnets contains `address`.
    pub(crate) fn pool_around(&self, address: IpAddr) -> Option<(&str, &PoolRecord)> {
        let readable = self
            .pools
            .iter()
            .filter_map(|p| Some((p.name.as_str(), p.record.as_ref().ok()?)));
        let mut around = readable.filter(|(_, pool)| pool.subnet_of(address).is_some());
        around.next()
    }
}

impl Found<AddressRecord> {
    /// The address; `None` when the key spells none.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        berth_types::address_from_key(&self.name)
    }
}

fn found<R: Record>(answer: &Answer, n: usize, prefix: &str) -> Vec<Found<R>> {
    let entries = answer.lists.get(n).map_or(&[][..], Vec::as_slice);
    entries.iter().map(|entry| one(entry, prefix)).collect()
}

fn one<R: Record>(entry: &Entry, prefix: &str) -> Found<R> {
    let key = String::from_utf8_lossy(&entry.key);
    Found {
        name: key.strip_prefix(prefix).unwrap_or(&key).to_owned(),
        revision: entry.revision,
        record: R::decode(&key, &entry.value),
    }
}
