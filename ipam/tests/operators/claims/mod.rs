pub(crate) mod pools;
pub(crate) mod releases;
pub(crate) mod reservations;

use std::collections::BTreeSet;
use std::net::IpAddr;

use berth_store::Write;
use berth_types::{
    AddressRecord, Holder, Incarnation, MacAddr, Record as _, ReservationId, ReservationPolicy,
    ReservationRecord, SchemaVersion, keys,
};

use crate::support::{Site, now, prod, random};

pub(crate) fn id(raw: &str) -> ReservationId {
    raw.parse().expect("a reservation's name")
}

/// A holder that no allocator made.
pub(crate) fn held(address: IpAddr, container: &str) -> AddressRecord {
    AddressRecord::unused(prod()).held_by(Holder {
        attachment: format!("n9/pods/{container}/eth0").parse().expect("an id"),
        incarnation: Incarnation::from_random(random()),
        pod: None,
        mac: MacAddr::of_address(address),
        since: now(),
    })
}

pub(crate) fn put(address: IpAddr, record: &AddressRecord) -> Write {
    Write::put(keys::address(address), record.encode())
}

/// The sticky reservation of a pod, as the allocator makes it.
pub(crate) fn sticky(name: &str, address: IpAddr) -> [Write; 2] {
    let record = ReservationRecord {
        v: SchemaVersion,
        pool: prod(),
        addresses: vec![address],
        policy: ReservationPolicy::Sticky,
        since: now(),
    };
    let mut marked = AddressRecord::unused(prod());
    marked.reserved_for = Some(id(name));
    [
        Write::put(keys::reservation(&id(name)), record.encode()),
        put(address, &marked),
    ]
}

impl Site {
    /// The addresses that the reservation lists, after making sure that these and no others name
    /// it.
    pub(crate) async fn reserved(&self, name: &str) -> BTreeSet<IpAddr> {
        let content = self.content().await;
        let listed = content
            .get(&keys::reservation(&id(name)))
            .map(|(value, _)| ReservationRecord::decode("reservation", value).expect("a record"));
        let listed: BTreeSet<_> = listed.into_iter().flat_map(|r| r.addresses).collect();
        let mut marked = BTreeSet::new();
        for (key, (value, _)) in &content {
            let Some(address) = keys::parse_address(key.as_bytes()) else {
                continue;
            };
            let record = AddressRecord::decode(key, value).expect("a record");
            if record.reserved_for == Some(id(name)) {
                marked.insert(address);
            }
        }
        assert_eq!(listed, marked, "the reservation and its addresses differ");
        listed
    }
}
