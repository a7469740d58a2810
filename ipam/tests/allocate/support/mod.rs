//! A store, nodes that use it, and what must always hold between their records.

pub(crate) mod basics;
pub(crate) mod cast;
pub(crate) mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use berth_ipam::{
    Ipam, IpamError, Known, Lease, NoEvidence, NodeIdentity, Released, Request, pools,
};
use berth_store::{
    AnyStore, EtcdConfig, KeyRange, Outcome, Read, Revision, Store as _, StoreConfig, Txn, Write,
};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, BlockSize, Incarnation, Phase, PoolName,
    PoolRecord, Record as _, Subnet, keys,
};
use etcd_testing::Etcd;
use tempfile::TempDir;

pub(crate) use basics::{block_on, now, prod, random};
use rig::Rig;

/// A fresh store that nobody else uses.
pub(crate) struct Site {
    pub(crate) config: StoreConfig,
    pub(crate) folder: TempDir,
    pub(crate) server: Option<Etcd>,
}

impl Site {
    pub(crate) fn embedded() -> Self {
        let folder = TempDir::new().expect("temporary folder");
        let config = StoreConfig::Embedded(folder.path().join("store"));
        Self {
            config,
            folder,
            server: None,
        }
    }

    pub(crate) fn etcd() -> Self {
        let folder = TempDir::new().expect("temporary folder");
        let server = Etcd::start();
        let config = StoreConfig::Etcd(EtcdConfig::plain([server.endpoint()]));
        Self {
            config,
            folder,
            server: Some(server),
        }
    }

    /// The store as a program opens it.
    pub(crate) fn open(&self) -> AnyStore {
        AnyStore::open(&self.config).expect("open the store")
    }

    /// Makes the pool `prod`.
    pub(crate) async fn pool(&self, subnets: &[Subnet], block_size: u32) {
        let size = BlockSize::try_from(block_size).expect("a block size");
        let record = PoolRecord::new(subnets.to_vec(), size);
        pools::create(&self.open(), &prod(), &record)
            .await
            .expect("make the pool");
    }

    /// Where a node keeps its state.
    pub(crate) fn state(&self, node: &str) -> PathBuf {
        self.folder.path().join(node)
    }

    /// A node with a state folder of its own.
    pub(crate) fn node(&self, name: &str) -> Node {
        let identity =
            NodeIdentity::load(name.parse().expect("a name"), &self.state(name), random());
        let rig = Rig::new(self.open());
        let identity = identity.expect("the node's id");
        let ipam = Ipam::new(rig.clone(), &self.config, identity, &self.state(name));
        Node { ipam, rig }
    }

    /// The one file below a node's state folder with that ending.
    pub(crate) fn files(&self, node: &str, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.state(node)];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().expect("read the state folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().ends_with(ending) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// Every key with its value and revision.
    pub(crate) async fn content(&self) -> BTreeMap<String, (Vec<u8>, Revision)> {
        let answer = self
            .open()
            .read(&[Read::List(KeyRange::prefix("/"))])
            .await
            .expect("read");
        let text = |key: Vec<u8>| String::from_utf8(key).expect("keys are text");
        let entries = answer.lists.into_iter().flatten();
        entries
            .map(|e| (text(e.key), (e.value, e.revision)))
            .collect()
    }

    /// Writes whatever it is.
    pub(crate) async fn write(&self, writes: impl Into<Vec<Write>>) -> Revision {
        let txn = Txn {
            writes: writes.into(),
            ..Txn::default()
        };
        match self.open().commit(&txn).await.expect("write") {
            Outcome::Committed(revision) => revision,
            Outcome::Refused(_) => panic!("nothing was compared"),
        }
    }

    /// The record of an address that has one.
    pub(crate) async fn record(&self, address: IpAddr) -> AddressRecord {
        let content = self.content().await;
        let key = keys::address(address);
        let (value, _) = content
            .get(&key)
            .unwrap_or_else(|| panic!("{address} has no record"));
        AddressRecord::decode(key, value).expect("a record")
    }

    /// Who holds what, once it is clear that addresses and attachments say the same.
    pub(crate) async fn holders(&self) -> BTreeMap<IpAddr, AttachmentId> {
        let content = self.content().await;
        let mut held = BTreeMap::new();
        let mut attached = BTreeSet::new();
        for (key, (value, _)) in &content {
            if let Some(address) = keys::parse_address(key.as_bytes()) {
                let Ok(record) = AddressRecord::decode(key, value) else {
                    continue;
                };
                held.extend(record.holder.map(|holder| (address, holder)));
            }
            if let Some(id) = keys::parse_attachment(key.as_bytes()) {
                let Ok(record) = AttachmentRecord::decode(key, value) else {
                    continue;
                };
                assert!(
                    record.phase == Phase::Live || record.addresses.is_empty(),
                    "{id}"
                );
                let addresses = record.addresses.iter();
                attached
                    .extend(addresses.map(|a| (*a, id.clone(), record.incarnation.to_string())));
            }
        }
        let said = held
            .iter()
            .map(|(a, h)| (*a, h.attachment.clone(), h.incarnation.to_string()));
        assert_eq!(
            said.collect::<BTreeSet<_>>(),
            attached,
            "addresses and attachments differ"
        );
        held.into_iter()
            .map(|(address, holder)| (address, holder.attachment))
            .collect()
    }
}

/// A node's allocator, over a store that can be made to misbehave.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) ipam: Ipam<Rig>,
    pub(crate) rig: Rig,
}

impl Node {
    pub(crate) fn id(&self, container: &str) -> AttachmentId {
        let node = &self.ipam.node().name;
        format!("{node}/pods/{container}/eth0")
            .parse()
            .expect("an id")
    }

    /// A new life of a container asks for any address.
    pub(crate) fn ask(&self, container: &str) -> Request {
        Request::new(
            self.id(container),
            Incarnation::from_random(random()),
            vec![prod()],
        )
    }

    pub(crate) async fn allocate(&self, request: &Request) -> Result<Lease, IpamError> {
        self.ipam.allocate(request, &NoEvidence, now()).await
    }

    /// Gives a new life of a container any address.
    pub(crate) async fn give(&self, container: &str) -> Lease {
        self.allocate(&self.ask(container))
            .await
            .expect("an address")
    }

    /// Gives up whatever a container holds.
    pub(crate) async fn release(&self, container: &str) -> Released {
        self.ipam
            .release(&self.id(container), None, now())
            .await
            .expect("release")
    }
}

/// What a node remembers of a lease.
pub(crate) fn known(lease: &Lease) -> Known {
    let addresses = lease.addresses.iter();
    let record = lease.addresses[0].record.clone();
    let holder = record.holder.expect("a holder");
    Known {
        incarnation: holder.incarnation,
        revision: Some(lease.revision),
        addresses: addresses.map(|a| (a.address, a.record.clone())).collect(),
    }
}

/// A subnet whose first address is its gateway.
pub(crate) fn subnet(cidr: &str) -> Subnet {
    let cidr: ipnetwork::IpNetwork = cidr.parse().expect("a CIDR");
    let gateway = match cidr.network() {
        IpAddr::V4(v4) => IpAddr::from((u32::from(v4) + 1).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) + 1).to_be_bytes()),
    };
    Subnet {
        cidr,
        gateway: Some(gateway),
        range: None,
        exclude: vec![],
        vlan: None,
        routes: vec![],
    }
}

pub(crate) fn ip(raw: &str) -> IpAddr {
    raw.parse().expect("an address")
}

/// How the pools of a refusal stand: name, size, held.
pub(crate) fn exhausted(error: &IpamError) -> Vec<(PoolName, u64, u64)> {
    let IpamError::Exhausted { pools } = error else {
        panic!("{error}")
    };
    let count = |c: &berth_ipam::PoolCount| (c.pool.clone(), c.size, c.held);
    pools.iter().map(count).collect()
}

/// Of a lease of one address.
pub(crate) trait OneAddress {
    fn address(&self) -> IpAddr;
    fn record(&self) -> AddressRecord;
    fn subnet(&self) -> Subnet;
}

impl OneAddress for Lease {
    fn address(&self) -> IpAddr {
        let [one] = self.addresses.as_slice() else {
            panic!("not one address: {self:?}");
        };
        one.address
    }

    fn record(&self) -> AddressRecord {
        self.addresses[0].record.clone()
    }

    fn subnet(&self) -> Subnet {
        self.addresses[0].subnet.clone()
    }
}
