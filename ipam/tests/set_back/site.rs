//! A store with a backup, nodes that use it, and what lives on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use berth_ipam::closure::{self, Closing, Notice, View};
use berth_ipam::republish::{OnConflict, Report, RepublishError, Scope};
use berth_ipam::{Ipam, IpamError, Lease, NoEvidence, NodeIdentity, Request, pools};
use berth_store::{
    AnyStore, EtcdConfig, KeyRange, Outcome, Read, Revision, Store, StoreConfig, Txn, Write,
};
use berth_types::{
    AddressRecord, AttachmentId, BlockSize, ClosedRecord, Holder, Incarnation, LocalAddress,
    LocalAttachment, LocalLink, MacAddr, NetnsRef, NodeId, NodeName, PoolName, PoolRecord,
    Record as _, SchemaVersion, Subnet, keys,
};
use tempfile::TempDir;

pub(crate) use crate::basics::{block_on, now, prod, random};
use crate::server::Server;

/// A store of the test's own.
pub(crate) struct Site {
    pub(crate) config: StoreConfig,
    pub(crate) folder: TempDir,
    server: Option<Server>,
}

/// How a store is set back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restore {
    /// From the backup, as it is.
    Plain,
    /// And its revision raised above the old one, before any client returns.
    Bumped,
}

impl Site {
    pub(crate) fn embedded() -> Self {
        let folder = TempDir::new().expect("temporary folder");
        Self {
            config: StoreConfig::Embedded(folder.path().join("store")),
            folder,
            server: None,
        }
    }

    pub(crate) fn etcd() -> Self {
        let server = Server::start();
        Self {
            config: StoreConfig::Etcd(EtcdConfig::plain([server.url()])),
            folder: TempDir::new().expect("temporary folder"),
            server: Some(server),
        }
    }

    /// The store as a program opens it.
    pub(crate) fn open(&self) -> AnyStore {
        AnyStore::open(&self.config).expect("open the store")
    }

    fn file(&self) -> Option<PathBuf> {
        match &self.config {
            StoreConfig::Embedded(folder) => Some(folder.join("data.mdb")),
            StoreConfig::Etcd(_) => None,
        }
    }

    /// Backs the store up; there is one backup.
    pub(crate) fn back_up(&self) {
        let backup = self.folder.path().join("backup");
        match (&self.server, self.file()) {
            (Some(server), _) => {
                if backup.exists() {
                    fs::remove_file(&backup).expect("remove the older backup");
                }
                server.save(&backup);
            }
            (None, Some(file)) => drop(fs::copy(file, backup).expect("copy the store")),
            (None, None) => unreachable!("an etcd has a server"),
        }
    }

    /// Sets the store back to its backup. No handle of it may be open.
    pub(crate) async fn restore(&mut self, how: Restore) {
        self.restore_as("etcd-cluster", how).await;
    }

    /// The same, with another cluster token where there is one.
    pub(crate) async fn restore_as(&mut self, token: &str, how: Restore) {
        let before = revision(&self.open()).await;
        let (backup, file) = (self.folder.path().join("backup"), self.file());
        match (&mut self.server, file) {
            (Some(server), _) => server.restore(&backup, token),
            (None, Some(file)) => {
                fs::remove_file(&file).expect("remove the store");
                fs::copy(&backup, &file).expect("copy it back");
            }
            (None, None) => unreachable!("an etcd has a server"),
        }
        let store = self.open();
        assert!(revision(&store).await < before, "it is set back");
        while how == Restore::Bumped && revision(&store).await <= before {
            write(&store, vec![Write::put("/filler", "x")]).await;
        }
    }

    /// Makes the pool `prod` of 10.20.1.0/24.
    pub(crate) async fn pool(&self) {
        self.pool_named("prod", "10.20.1.0/24").await;
    }

    pub(crate) async fn pool_named(&self, name: &str, cidr: &str) {
        let subnet = Subnet {
            cidr: cidr.parse().expect("a CIDR"),
            gateway: None,
            range: None,
            exclude: vec![],
            vlan: None,
            routes: vec![],
        };
        let record = PoolRecord::new(vec![subnet], BlockSize::try_from(16).expect("a size"));
        let name: PoolName = name.parse().expect("a name");
        let made = pools::create(&self.open(), &name, &record).await;
        made.expect("make the pool");
    }

    /// A node with folders of its own.
    pub(crate) fn node(&self, name: &str) -> Node<AnyStore> {
        self.node_on(name, self.open())
    }

    /// A node whose store is reached through `store`.
    pub(crate) fn node_on<S: Store>(&self, name: &str, store: S) -> Node<S> {
        let home = self.folder.path().join(name);
        let identity = NodeIdentity::load(node_name(name), &home, random());
        let identity = identity.expect("the node's id");
        let ipam = Ipam::new(store, &self.config, identity, &home);
        let run = home.join("run");
        fs::create_dir_all(run.join("attachments")).expect("make the folder");
        fs::create_dir_all(run.join("intents")).expect("make the folder");
        Node { ipam, run }
    }

    pub(crate) async fn close(&self) -> ClosedRecord {
        let notice = Notice {
            reason: "restored".into(),
            noticed_by: None,
        };
        let closed = closure::close(&self.open(), &notice, random(), now()).await;
        match closed.expect("close the store") {
            Closing::Closed(_, record) | Closing::Standing(_, record) => record,
        }
    }

    pub(crate) async fn view(&self) -> View {
        closure::look(&self.open())
            .await
            .expect("look at the store")
    }

    /// An operator says that a node is gone for good.
    pub(crate) async fn declare_dead(&self, node: &str) {
        let death = closure::declare_dead(&self.view().await, &node_name(node), &nobody());
        let death = death.expect("it is known");
        death.commit(&self.open()).await.expect("declare it");
    }

    pub(crate) fn config_is_embedded(&self) -> bool {
        matches!(self.config, StoreConfig::Embedded(_))
    }

    /// Opens the store, which every node has answered.
    pub(crate) async fn reopen(&self) {
        let opening = closure::opening(&self.view().await).expect("it may be opened");
        opening.commit(&self.open()).await.expect("open it");
    }

    /// Every address that is held, and by whom.
    pub(crate) async fn holders(&self) -> BTreeMap<IpAddr, AttachmentId> {
        let all = [Read::List(KeyRange::prefix(keys::ADDRESSES))];
        let answer = self.open().read(&all).await.expect("read");
        let held = answer.lists[0].iter().filter_map(|entry| {
            let address = keys::parse_address(&entry.key).expect("an address");
            let record = AddressRecord::decode("x", &entry.value).expect("a record");
            Some((address, record.holder?.attachment))
        });
        held.collect()
    }
}

/// A node, and where its plugin keeps what lives on it.
pub(crate) struct Node<S> {
    pub(crate) ipam: Ipam<S>,
    pub(crate) run: PathBuf,
}

impl<S: Store> Node<S> {
    pub(crate) fn id(&self, container: &str) -> AttachmentId {
        attachment(&self.ipam.node().name, container)
    }

    pub(crate) fn ask(&self, container: &str) -> Request {
        let incarnation = Incarnation::from_random(random());
        Request {
            netns: Some(living()),
            ..Request::new(self.id(container), incarnation, vec![prod()])
        }
    }

    /// A container comes to live on the node.
    pub(crate) async fn start(&self, container: &str) -> IpAddr {
        self.start_as(&self.ask(container)).await
    }

    pub(crate) async fn start_as(&self, request: &Request) -> IpAddr {
        let lease = self
            .ipam
            .allocate(request, &NoEvidence, now())
            .await
            .expect("a lease");
        self.complete(request, &lease);
        lease.addresses[0].address
    }

    /// Writes the record of a complete interface, as the plugin does.
    pub(crate) fn complete(&self, request: &Request, lease: &Lease) {
        let leased = &lease.addresses[0];
        self.keep(request, leased.address, leased.record.clone());
    }

    /// A container lives on the node, and the store has never heard of it.
    pub(crate) fn start_unrecorded(&self, container: &str, address: &str) {
        let (request, address) = (self.ask(container), address.parse().expect("an address"));
        let record = AddressRecord::unused(prod()).held_by(Holder {
            attachment: request.attachment.clone(),
            incarnation: request.incarnation.clone(),
            pod: None,
            mac: MacAddr::of_address(address),
            since: now(),
        });
        self.keep(&request, address, record);
    }

    fn keep(&self, request: &Request, address: IpAddr, record: AddressRecord) {
        let local = LocalAttachment {
            v: SchemaVersion,
            attachment: request.attachment.clone(),
            incarnation: request.incarnation.clone(),
            pod: None,
            workload: None,
            netns: request.netns.clone().expect("a namespace"),
            link: LocalLink {
                mac: MacAddr::of_address(address),
                ifindex: 2,
                master: "eth0".into(),
                vlan: None,
                port: None,
                host_end: None,
                ingress_rate: None,
                egress_rate: None,
            },
            addresses: vec![LocalAddress {
                cidr: format!("{address}/24").parse().expect("a CIDR"),
                gateway: None,
                record: Some(record),
            }],
            revision: Some(1),
            ipam: None,
            result: serde_json::Value::Null,
        };
        let path = self.record(request.attachment.container.as_str());
        fs::write(path, local.encode()).expect("write the record");
    }

    /// The record file of a container's interface.
    pub(crate) fn record(&self, container: &str) -> PathBuf {
        self.run
            .join("attachments")
            .join(format!("{container}-eth0.json"))
    }

    /// The intent file of a container's interface.
    pub(crate) fn intent(&self, container: &str) -> PathBuf {
        self.run
            .join("intents")
            .join(format!("{container}-eth0.json"))
    }

    /// A container ends.
    pub(crate) async fn stop(&self, container: &str) {
        let released = self.ipam.release(&self.id(container), None, now()).await;
        released.expect("release");
        fs::remove_file(self.record(container)).expect("forget the record");
    }

    pub(crate) async fn republish(&self) -> Report {
        self.try_republish(OnConflict::Stay)
            .await
            .expect("republish")
    }

    pub(crate) async fn try_republish(
        &self,
        on_conflict: OnConflict,
    ) -> Result<Report, RepublishError> {
        let scope = Scope {
            run_dir: &self.run,
            networks: &BTreeSet::new(),
            on_conflict,
        };
        self.ipam.republish(&scope, now()).await
    }

    /// Asks for an address that must not be given, because the store is closed.
    pub(crate) async fn is_refused(&self, container: &str) {
        let refused = self
            .ipam
            .allocate(&self.ask(container), &NoEvidence, now())
            .await;
        assert!(
            matches!(refused, Err(IpamError::Closed { .. })),
            "{refused:?}"
        );
    }
}

pub(crate) fn node_name(name: &str) -> NodeName {
    name.parse().expect("a name")
}

pub(crate) fn attachment(node: &NodeName, container: &str) -> AttachmentId {
    format!("{node}/pods/{container}/eth0")
        .parse()
        .expect("an id")
}

/// A namespace that exists: the test's own.
pub(crate) fn living() -> NetnsRef {
    let path = PathBuf::from("/proc/self/ns/net");
    let inode = fs::metadata(&path).expect("our namespace").ino();
    NetnsRef { path, inode }
}

/// A namespace that does not: no inode of nsfs has that number.
pub(crate) fn ended() -> NetnsRef {
    NetnsRef {
        path: "/run/netns/of-nobody".into(),
        inode: 1,
    }
}

pub(crate) async fn revision(store: &AnyStore) -> Revision {
    let answer = store.read(&[Read::Get(b"x".into())]).await;
    answer.expect("read").revision
}

/// Writes whatever it is.
pub(crate) async fn write(store: &AnyStore, writes: Vec<Write>) {
    let txn = Txn {
        writes,
        ..Txn::default()
    };
    let written = store.commit(&txn).await.expect("write");
    assert!(matches!(written, Outcome::Committed(_)));
}

pub(crate) fn nobody() -> NodeId {
    "f".repeat(32).parse().expect("an id")
}
