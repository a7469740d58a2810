//! The store's records as they are, read past the programs that are tested.

use std::net::IpAddr;

use berth_store::{
    AnyStore, Compare, Entry, KeyRange, Outcome, Read, Store as _, StoreConfig, Txn, Write,
};
use berth_types::{
    AddressRecord, AttachmentRecord, Phase, PoolName, PoolRecord, Record, ReservationId,
    ReservationPolicy, ReservationRecord, SchemaVersion, WantedRecord, keys,
};

use crate::ground::Ground;

/// Every attachment's record, by its id.
pub(crate) fn attachments(ground: &Ground) -> Vec<(String, AttachmentRecord)> {
    let id = |entry: &Entry| keys::parse_attachment(&entry.key).map(|id| id.to_string());
    list(ground, keys::ATTACHMENTS, id)
}

/// Every address's record.
pub(crate) fn addresses(ground: &Ground) -> Vec<(IpAddr, AddressRecord)> {
    list(ground, keys::ADDRESSES, |entry| {
        keys::parse_address(&entry.key)
    })
}

/// Whether the record only stands in the way of a late transaction.
pub(crate) fn is_tombstone(record: &AttachmentRecord) -> bool {
    record.phase == Phase::Deleted && record.addresses.is_empty()
}

/// Who waits for which address.
pub(crate) fn wanted(ground: &Ground) -> Vec<(IpAddr, WantedRecord)> {
    list(ground, keys::WANTED, |entry| keys::parse_wanted(&entry.key))
}

/// Makes a reservation of addresses of the pool that nobody has held yet.
pub(crate) fn reserve(ground: &Ground, id: &str, pool: &str, addresses: &[IpAddr]) {
    let id: ReservationId = id.parse().expect("a reservation's id");
    let pool: PoolName = pool.parse().expect("a pool's name");
    let record = ReservationRecord {
        v: SchemaVersion,
        pool: pool.clone(),
        addresses: addresses.to_vec(),
        policy: ReservationPolicy::Kept,
        since: "2026-11-21T00:00:00Z".parse().expect("a time"),
    };
    let mut writes = vec![Write::put(keys::reservation(&id), record.encode())];
    for address in addresses {
        let mut record = AddressRecord::unused(pool.clone());
        record.reserved_for = Some(id.clone());
        writes.push(Write::put(keys::address(*address), record.encode()));
    }
    let absent = |address: &IpAddr| Compare::absent(keys::address(*address));
    let txn = Txn {
        compares: addresses.iter().map(absent).collect(),
        writes,
        otherwise: Vec::new(),
    };
    let write = async |store: &AnyStore| store.commit(&txn).await.expect("write the records");
    let outcome = within(ground, write);
    assert!(matches!(outcome, Outcome::Committed(_)), "nobody held them");
}

/// Changes the record of `pool`, for what `cnictl` cannot set.
pub(crate) fn change_pool(ground: &Ground, pool: &str, edit: impl Fn(&mut PoolRecord) + Sync) {
    change(
        ground,
        &keys::pool(&pool.parse().expect("a pool's name")),
        edit,
    );
}

/// Changes the record of `address`, as nobody should.
pub(crate) fn change_address(
    ground: &Ground,
    address: IpAddr,
    edit: impl Fn(&mut AddressRecord) + Sync,
) {
    change(ground, &keys::address(address), edit);
}

fn change<R: Record>(ground: &Ground, key: &str, edit: impl Fn(&mut R) + Sync) {
    let change = async |store: &AnyStore| {
        let answer = store
            .read(&[Read::Get(key.into())])
            .await
            .expect("read the record");
        let entry = answer
            .lists
            .first()
            .and_then(|found| found.first())
            .expect("it exists");
        let mut record = R::decode(key, &entry.value).expect("a record of ours");
        edit(&mut record);
        let txn = Txn {
            compares: vec![Compare::at(key, entry.revision)],
            writes: vec![Write::put(key, record.encode())],
            otherwise: Vec::new(),
        };
        let outcome = store.commit(&txn).await.expect("write the record");
        assert!(
            matches!(outcome, Outcome::Committed(_)),
            "nobody else writes it"
        );
    };
    within(ground, change);
}

fn list<K: Send, R: Record + Send>(
    ground: &Ground,
    prefix: &str,
    name: impl Fn(&Entry) -> Option<K> + Send,
) -> Vec<(K, R)> {
    let read = async |store: &AnyStore| {
        let range = KeyRange::prefix(prefix);
        store
            .read(&[Read::List(range)])
            .await
            .expect("read the store")
            .lists
            .concat()
    };
    let entries = within(ground, read);
    let parse = |entry: &Entry| {
        let shown = String::from_utf8_lossy(&entry.key).into_owned();
        let record = R::decode(&shown, &entry.value).expect("a record of ours");
        (name(entry).expect("a key of ours"), record)
    };
    entries.iter().map(parse).collect()
}

/// Works with the store from where the first node's plugin does.
fn within<T: Send>(ground: &Ground, body: impl AsyncFnOnce(&AnyStore) -> T + Send) -> T {
    let config: StoreConfig = serde_json::from_value(ground.store()).expect("a store");
    ground.node().netns().run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let store = AnyStore::open(&config).expect("open the store");
        runtime.expect("an event loop").block_on(body(&store))
    })
}
