//! The store before and after: the pool that the workers share, and what is left of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_ipam::pools;
use berth_store::{AnyStore, KeyRange, Outcome, Read, Store as _, StoreConfig, Txn, Write};
use berth_types::{
    AddressRecord, AttachmentRecord, BlockSize, PoolName, PoolRecord, Record as _,
    ReservationPolicy, ReservationRecord, SchemaVersion, Subnet, keys,
};
use jiff::Timestamp;

use super::allocator::reservation;
use super::checker::{Rules, Stored};

/// The workload whose reserved set workers draw from.
pub const WORKLOAD: &str = "web";
/// The pool that all workers share.
pub const POOL: &str = "prod";
/// Somewhat more addresses than are asked for on average, so that nodes borrow from each other.
const SUBNETS: [(&str, &str); 3] = [
    ("10.20.1.0/25", "10.20.1.1"),
    ("10.20.1.128/26", "10.20.1.129"),
    ("fd00:20::/120", "fd00:20::1"),
];
/// Reserved for a workload that nobody belongs to, and for one that everybody belongs to.
const RESERVED: [(&str, [[u8; 4]; 3]); 2] = [
    (
        "nobody",
        [[10, 20, 1, 20], [10, 20, 1, 21], [10, 20, 1, 140]],
    ),
    (
        WORKLOAD,
        [[10, 20, 1, 70], [10, 20, 1, 71], [10, 20, 1, 180]],
    ),
];
/// Reclaimed on somebody's word: not to be given without a look at the wire, which nobody has.
const UNPROVEN: [u8; 4] = [10, 20, 1, 41];
/// Asked for by name by everybody, with a reserved one among them.
const SOUGHT: [[u8; 4]; 6] = [
    [10, 20, 1, 2],
    [10, 20, 1, 33],
    [10, 20, 1, 64],
    [10, 20, 1, 99],
    [10, 20, 1, 130],
    [10, 20, 1, 20],
];

/// Makes the pool, with addresses in it that must never be given; answers what may be.
///
/// # Panics
/// When the store does not take them.
pub async fn prepare(config: &StoreConfig) -> Rules {
    let store = AnyStore::open(config).expect("open the store");
    let name: PoolName = POOL.parse().expect("a name");
    let subnets = SUBNETS.map(|(cidr, gateway)| Subnet {
        cidr: cidr.parse().expect("a subnet"),
        gateway: Some(gateway.parse().expect("an address")),
        range: None,
        exclude: Vec::new(),
        vlan: None,
        routes: Vec::new(),
    });
    let size = BlockSize::try_from(16).expect("a block size");
    let pool = PoolRecord::new(subnets.to_vec(), size);
    let made = pools::create(&store, &name, &pool).await;
    made.expect("make the pool");
    let mut unproven = AddressRecord::unused(name.clone());
    unproven.unproven = true;
    let unproven = Write::put(keys::address(UNPROVEN.into()), unproven.encode());
    let sets = RESERVED.into_iter();
    let sets = sets.flat_map(|(workload, set)| reserve(&name, workload, set));
    let writes = sets.chain([unproven]).collect();
    let txn = Txn {
        writes,
        ..Txn::default()
    };
    let outcome = store.commit(&txn).await.expect("write the records");
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    let every = pool
        .blocks()
        .flat_map(|block| block.addresses().collect::<Vec<_>>());
    let usable = every.filter(|a| pool.is_usable(*a) && *a != IpAddr::from(UNPROVEN));
    Rules {
        usable: usable.collect(),
        reserved: RESERVED
            .map(|(workload, set)| (workload.to_owned(), set.map(IpAddr::from).into()))
            .into(),
    }
}

/// The records of a workload's set.
fn reserve(pool: &PoolName, workload: &str, set: [[u8; 4]; 3]) -> Vec<Write> {
    let (id, addresses) = (reservation(workload), set.map(IpAddr::from));
    let record = ReservationRecord {
        v: SchemaVersion,
        pool: pool.clone(),
        addresses: addresses.to_vec(),
        policy: ReservationPolicy::Kept,
        since: Timestamp::UNIX_EPOCH,
    };
    let mut writes = vec![Write::put(keys::reservation(&id), record.encode())];
    writes.extend(addresses.map(|address| {
        let mut record = AddressRecord::unused(pool.clone());
        record.reserved_for = Some(id.clone());
        Write::put(keys::address(address), record.encode())
    }));
    writes
}

/// The addresses that everybody asks for by name.
pub fn sought() -> Vec<IpAddr> {
    SOUGHT.map(IpAddr::from).to_vec()
}

/// Everything that the store holds of addresses and attachments.
///
/// # Panics
/// When it does not answer.
pub async fn read(config: &StoreConfig) -> Stored {
    let store = AnyStore::open(config).expect("open the store");
    let ranges = [keys::ADDRESSES, keys::ATTACHMENTS].map(KeyRange::prefix);
    let answer = store.read(&ranges.map(Read::List)).await;
    let mut found = Stored::default();
    for entry in answer.expect("read the store").lists.into_iter().flatten() {
        let key = String::from_utf8_lossy(&entry.key).into_owned();
        let read = if let Some(address) = keys::parse_address(&entry.key) {
            let record = AddressRecord::decode(&key, &entry.value).ok();
            record.map(|record| drop(found.addresses.insert(address, record)))
        } else if let Some(id) = keys::parse_attachment(&entry.key) {
            let record = AttachmentRecord::decode(&key, &entry.value).ok();
            record.map(|record| drop(found.attachments.insert(id, record)))
        } else {
            None
        };
        if read.is_none() {
            found.unreadable.push(key);
        }
    }
    found
}

/// Runs `future` on the calling thread, with I/O and timers.
///
/// # Panics
/// When there can be no runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// How many of each there are, for the report.
pub fn counts(stored: &Stored) -> BTreeMap<&'static str, usize> {
    let held = stored.addresses.values().filter(|r| r.holder.is_some());
    let live = stored
        .attachments
        .values()
        .filter(|r| !r.addresses.is_empty());
    [
        ("addresses held", held.count()),
        ("attachments live", live.count()),
    ]
    .into()
}
