//! What the allocator is measured on: an etcd with one pool, and nodes.

use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_ipam::{Ipam, NodeIdentity, pools};
use berth_store::{AnyStore, EtcdConfig, Read, Store as _, StoreConfig};
use berth_types::{BlockSize, PoolName, PoolRecord, Subnet, keys};
use etcd_testing::{Authority, Etcd};

use super::{allocate, release};
use crate::debian;
use crate::process;
use crate::scratch::Scratch;
use crate::stats::Times;

/// How many connections of each kind are timed.
const CONNECTIONS: u32 = 50;

/// An etcd with a pool, and one node.
pub(super) struct Ground {
    pub(super) server: Etcd,
    config: StoreConfig,
    scratch: Scratch,
}

impl Ground {
    pub(super) fn new() -> Self {
        let server = Etcd::start();
        let config = StoreConfig::Etcd(EtcdConfig::plain([server.endpoint()]));
        Self {
            server,
            config,
            scratch: Scratch::new("bench-ipam"),
        }
    }

    pub(super) async fn make_pool(&self) {
        let subnet = Subnet {
            cidr: "10.64.0.0/14".parse().expect("a subnet"),
            gateway: None,
            range: None,
            exclude: Vec::new(),
            vlan: None,
            routes: Vec::new(),
        };
        let size = BlockSize::try_from(16).expect("a block size");
        let record = PoolRecord {
            // Released addresses are used again at once: every round is on the same ones.
            cooldown_s: 0,
            ..PoolRecord::new(vec![subnet], size)
        };
        let made = pools::create(&self.open(), &pool(), &record).await;
        made.expect("make the pool");
    }

    pub(super) fn open(&self) -> AnyStore {
        open(&self.config)
    }

    pub(super) fn node(&self, name: &str) -> Arc<Ipam<AnyStore>> {
        let state = self.scratch.join(name);
        let mut random = [0; 16];
        random
            .iter_mut()
            .zip(name.bytes())
            .for_each(|(to, from)| *to = from);
        let node = NodeIdentity::load(name.parse().expect("a name"), &state, random);
        let node = node.expect("the node's id");
        Arc::new(Ipam::new(self.open(), &self.config, node, &state).resident())
    }

    /// How large the two records of an allocation are.
    pub(super) async fn sizes(&self, node: &Arc<Ipam<AnyStore>>) -> [usize; 2] {
        let given = allocate(node, (1, 1)).await;
        let name = given.names.first().expect("one was given");
        let id = format!("n1/bench/{name}/eth0").parse().expect("an id");
        let ranges = [Read::Get(keys::attachment(&id).into())];
        let attachment = node.store().read(&ranges).await.expect("read");
        let held = berth_ipam::listing::addresses(node.store())
            .await
            .expect("read");
        let address: Option<IpAddr> = held.first().map(|stored| stored.address);
        let address = [Read::Get(
            keys::address(address.expect("one is held")).into(),
        )];
        let address = node.store().read(&address).await.expect("read");
        release(node, &given.names).await;
        [address, attachment].map(|answer| {
            let entry = answer.lists.first().and_then(|list| list.first());
            entry.expect("a record").value.len()
        })
    }

    /// See [`super::Report::connect`]; the two in turn, each on an etcd of its own.
    pub(super) async fn connect(&self) -> [Duration; 2] {
        let authority = Authority::new(self.scratch.path(), "authority");
        for name in ["server", "client"] {
            authority.sign(name);
        }
        let server = authority.serve();
        let with_certificates = StoreConfig::Etcd(EtcdConfig {
            ca: Some(authority.file("ca", "pem")),
            cert: Some(authority.file("client", "pem")),
            key: Some(authority.file("client", "key")),
            ..EtcdConfig::plain([server.endpoint()])
        });
        let (mut clear, mut certified) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            clear.push(connect(&self.config).await);
            certified.push(connect(&with_certificates).await);
        }
        [clear, certified].map(|times| Times::new(times).median())
    }

    /// How large etcd's database is without anything that is only history.
    pub(super) async fn database_bytes(&self) -> f64 {
        let revision = self.open().read(&[]).await.expect("read").revision.0;
        self.etcdctl(&["compact", "--physical", &revision.to_string()]);
        self.etcdctl(&["--command-timeout", "60s", "defrag"]);
        let metrics = self.server.metrics().expect("etcd's metrics");
        let mut lines = metrics.lines();
        let size = lines.find_map(|line| line.strip_prefix("etcd_mvcc_db_total_size_in_bytes "));
        size.and_then(|size| size.parse().ok())
            .expect("the database's size")
    }

    fn etcdctl(&self, arguments: &[&str]) {
        let mut command = Command::new(debian::require("etcdctl", "etcd-client"));
        command.env("ETCDCTL_API", "3");
        command.args(["--endpoints", &self.server.endpoint()]);
        process::output(command.args(arguments));
    }
}

/// Opens the store and asks it once.
#[expect(clippy::disallowed_methods, reason = "this is the stop watch")]
async fn connect(config: &StoreConfig) -> Duration {
    let begun = Instant::now();
    let asked = [Read::Get(keys::CLOSED.into())];
    open(config).read(&asked).await.expect("an answer");
    begun.elapsed()
}

fn open(config: &StoreConfig) -> AnyStore {
    AnyStore::open(config).expect("open the store")
}

pub(super) fn pool() -> PoolName {
    "bench".parse().expect("a name")
}
