//! Pods, their reservations, and a caller who can be told what to find out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use berth_ipam::{Ended, Evidence, IpamError, Lease, Probing, Request};
use berth_store::{KeyRange, Revision, Write};
use berth_types::{
    AddressRecord, AttachmentId, BlockSize, Incarnation, NetnsRef, PodRef, PoolName, PoolRecord,
    Record as _, ReservationId, ReservationPolicy, ReservationRecord, SchemaVersion, keys,
};
use jiff::Timestamp;

use super::{Node, Site, ip, now, prod, subnet};

/// A caller's eyes: what it finds, and what it was asked.
#[derive(Debug)]
pub(crate) struct Eyes {
    pub(crate) ended: Ended,
    pub(crate) probing: Probing,
    asked: Mutex<Vec<String>>,
}

impl Eyes {
    /// Of a caller that ends every sandbox and asks the wire wherever there is a doubt.
    pub(crate) fn open() -> Self {
        Self::finding(Ended::Gone, Probing::Takeovers)
    }

    pub(crate) fn finding(ended: Ended, probing: Probing) -> Self {
        let asked = Mutex::default();
        Self {
            ended,
            probing,
            asked,
        }
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no panic"))
    }
}

impl Evidence for Eyes {
    fn end_sandbox(&self, earlier: &AttachmentId, _: &Incarnation, _: Option<&NetnsRef>) -> Ended {
        let mut asked = self.asked.lock().expect("no panic");
        asked.push(format!("end {earlier}"));
        self.ended.clone()
    }

    fn probing(&self) -> Probing {
        self.probing
    }
}

pub(crate) fn name(raw: &str) -> PoolName {
    raw.parse().expect("a pool's name")
}

pub(crate) fn pod(name: &str, uid: &str) -> PodRef {
    PodRef {
        namespace: "shop".into(),
        name: name.into(),
        uid: uid.into(),
    }
}

pub(crate) fn pool_of(cidrs: &[&str]) -> PoolRecord {
    let subnets = cidrs.iter().map(|cidr| subnet(cidr)).collect();
    PoolRecord::new(subnets, BlockSize::try_from(4).expect("a block size"))
}

/// A pool that keeps the addresses of pods.
pub(crate) fn sticky_pool(cidrs: &[&str]) -> PoolRecord {
    PoolRecord {
        sticky: true,
        ..pool_of(cidrs)
    }
}

/// So many seconds after the moment that never changes.
pub(crate) fn later(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + seconds).expect("a time")
}

impl Site {
    pub(crate) async fn put_pool(&self, pool: &str, record: &PoolRecord) -> Revision {
        let key = keys::pool(&name(pool));
        self.write([Write::put(key, record.encode())]).await
    }

    /// Empties the store.
    pub(crate) async fn wipe(&self) {
        let range = KeyRange::prefix("/");
        self.write([Write::DeleteRange { range }]).await;
    }

    /// Writes an address's record.
    pub(crate) async fn put_address(&self, raw: &str, change: impl FnOnce(&mut AddressRecord)) {
        let mut record = AddressRecord::unused(prod());
        change(&mut record);
        let key = keys::address(ip(raw));
        self.write([Write::put(key, record.encode())]).await;
    }

    /// Reserves never used addresses of `prod` for a workload.
    pub(crate) async fn reserve(&self, id: &str, addresses: &[&str]) {
        let id: ReservationId = id.parse().expect("an id");
        let record = ReservationRecord {
            v: SchemaVersion,
            pool: prod(),
            addresses: addresses.iter().map(|raw| ip(raw)).collect(),
            policy: ReservationPolicy::Kept,
            since: now(),
        };
        let mut writes = vec![Write::put(keys::reservation(&id), record.encode())];
        for address in &record.addresses {
            let mut record = AddressRecord::unused(prod());
            record.reserved_for = Some(id.clone());
            writes.push(Write::put(keys::address(*address), record.encode()));
        }
        self.write(writes).await;
    }

    /// What each reservation keeps, once it is clear that addresses and reservations say the same.
    pub(crate) async fn kept(&self) -> BTreeMap<String, Vec<IpAddr>> {
        let (mut kept, mut named) = (BTreeMap::new(), BTreeMap::new());
        for (key, (value, _)) in self.content().await {
            if let Some(id) = keys::parse_reservation(key.as_bytes()) {
                let record = ReservationRecord::decode(&key, &value).expect("a reservation");
                kept.insert(id.to_string(), record.addresses);
            }
            if let Some(address) = keys::parse_address(key.as_bytes()) {
                let record = AddressRecord::decode(&key, &value).expect("an address");
                if let Some(id) = record.reserved_for {
                    let of_id: &mut Vec<IpAddr> = named.entry(id.to_string()).or_default();
                    of_id.push(address);
                }
            }
        }
        let mut sorted = kept.clone();
        for addresses in named.values_mut().chain(sorted.values_mut()) {
            addresses.sort();
        }
        assert_eq!(named, sorted, "addresses and reservations differ");
        kept
    }

    /// The keys that begin with `prefix`.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.content().await.into_keys();
        keys.filter(|key| key.starts_with(prefix)).collect()
    }
}

impl Node {
    /// A new sandbox of a pod asks for any address.
    pub(crate) fn ask_for(&self, container: &str, pod: PodRef) -> Request {
        Request {
            pod: Some(pod),
            ..self.ask(container)
        }
    }

    pub(crate) async fn allocate_seeing(
        &self,
        request: &Request,
        eyes: &Eyes,
    ) -> Result<Lease, IpamError> {
        self.ipam.allocate(request, eyes, now()).await
    }

    /// Writes down who was heard on the wire, which has to succeed.
    pub(crate) async fn note(&self, request: &Request, lease: Lease, answered: &[IpAddr]) -> Lease {
        let noted = self.ipam.note_wire(request, lease, answered).await;
        noted.expect("noted")
    }

    /// Gives a new sandbox of a pod an address.
    pub(crate) async fn give_pod(&self, container: &str, pod: PodRef) -> Lease {
        let request = self.ask_for(container, pod);
        self.allocate_seeing(&request, &Eyes::open())
            .await
            .expect("an address")
    }
}

/// The addresses of a lease.
pub(crate) fn addresses(lease: &Lease) -> Vec<IpAddr> {
    lease
        .addresses
        .iter()
        .map(|leased| leased.address)
        .collect()
}
