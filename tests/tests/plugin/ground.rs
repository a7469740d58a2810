//! What most tests stand on: a LAN, nodes, a store with a pool, and `berth` called on them.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use e2e::etcd::Etcd;
use e2e::lan::{Lan, LanOptions, Node, UPLINK};
use e2e::ovs::{self, Ovs};
use e2e::plugin::{Call, Plugin, Reply, cnictl};
use e2e::process;
use serde_json::{Value, json};

use crate::container::Container;
use crate::records;

/// The network of [`Ground::config`].
pub(crate) const NETWORK: &str = "pods";
/// The pool of [`Ground::config`].
pub(crate) const POOL: &str = "prod";
/// The gateway of the LAN and of the pool.
pub(crate) const GATEWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 20, 1, 1));
/// 10.20.1.0/24 behind the gateway: 253 addresses.
pub(crate) const WIDE: &[&str] = &["--subnet", "10.20.1.0/24", "--gateway", "10.20.1.1"];
/// 10.20.1.0/28 behind the gateway: the 13 addresses from 10.20.1.2 on.
pub(crate) const NARROW: &[&str] = &["--subnet", "10.20.1.0/28", "--gateway", "10.20.1.1"];

/// Three seconds, which are the default; more where the processor is emulated.
fn patience_ms() -> u64 {
    let said = std::env::var("BERTH_STORE_PATIENCE_MS").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(3000)
}

/// No address.
pub(crate) const NOTHING: [IpAddr; 0] = [];

/// Which store a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A folder.
    Embedded,
    /// A member on the LAN, which every node reaches through its uplink.
    Etcd,
}

/// A LAN with nodes that share one store. Everything is gone on drop.
#[derive(Debug)]
pub(crate) struct Ground {
    // In the order in which they have to go.
    pub(crate) etcd: Option<Etcd>,
    /// Open vSwitch on the first node, which then is configured for its driver.
    pub(crate) ovs: Option<Ovs>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) lan: Lan,
    pub(crate) plugin: Plugin,
    /// How long one request to etcd may take, in milliseconds.
    pub(crate) patience_ms: u64,
}

impl Ground {
    /// One node, and the pool [`POOL`] made with `pool`, as in `cnictl pool create`.
    pub(crate) fn new(kind: Kind, pool: &[&str]) -> Self {
        Self::with_nodes(kind, pool, 1)
    }

    /// The same with several nodes, `n1`, `n2` and so on.
    pub(crate) fn with_nodes(kind: Kind, pool: &[&str], nodes: usize) -> Self {
        Self::on(Lan::new(&LanOptions::default()), kind, pool, nodes)
    }

    /// The same on a LAN of the test's own.
    pub(crate) fn on(lan: Lan, kind: Kind, pool: &[&str], nodes: usize) -> Self {
        let etcd = (kind == Kind::Etcd).then(|| Etcd::start_at(lan.netns(), lan.address()));
        let nodes = (1..=nodes).map(|n| lan.node(&format!("n{n}"))).collect();
        let ground = Self {
            etcd,
            ovs: None,
            nodes,
            lan,
            plugin: Plugin::berth(),
            patience_ms: patience_ms(),
        };
        ground.create_pool(POOL, pool);
        ground
    }

    /// The same as [`Ground::new`], with Open vSwitch between the node's containers and the LAN.
    pub(crate) fn switched(kind: Kind, pool: &[&str]) -> Self {
        let mut ground = Self::new(kind, pool);
        ground.ovs = Some(Ovs::start(ground.node()));
        ground
    }

    /// Open vSwitch of [`Ground::switched`].
    pub(crate) fn ovs(&self) -> &Ovs {
        self.ovs.as_ref().expect("a ground with Open vSwitch")
    }

    /// The first node.
    pub(crate) fn node(&self) -> &Node {
        self.nodes.first().expect("a ground has a node")
    }

    /// The etcd of [`Kind::Etcd`].
    pub(crate) fn etcd(&mut self) -> &mut Etcd {
        self.etcd.as_mut().expect("a ground with etcd")
    }

    /// Cuts the first node's way to etcd: connecting fails at once.
    pub(crate) fn cut_off(&self) -> CutOff<'_> {
        let to = format!("{}/32", self.lan.address());
        self.node()
            .netns()
            .ip(&["route", "add", "unreachable", &to]);
        CutOff {
            node: self.node(),
            to,
        }
    }

    /// The folder of [`Kind::Embedded`].
    pub(crate) fn folder(&self) -> PathBuf {
        self.node().file("ipam")
    }

    /// The store, as the plugin's configuration names it.
    pub(crate) fn store(&self) -> Value {
        match &self.etcd {
            Some(etcd) => {
                json!({"etcd": {"endpoints": [etcd.endpoint()], "timeoutMs": self.patience_ms}})
            }
            None => json!({"embedded": self.folder()}),
        }
    }

    /// Runs `cnictl` on the store and returns its output.
    pub(crate) fn cnictl(&self, arguments: &[&str]) -> String {
        let store = match &self.etcd {
            Some(etcd) => format!("etcd:{}", etcd.endpoint()),
            None => format!("embedded:{}", self.folder().display()),
        };
        process::output(cnictl(self.node(), &store).args(arguments))
    }

    /// Makes one more pool.
    pub(crate) fn create_pool(&self, name: &str, subnets: &[&str]) {
        self.cnictl(&[&["pool", "create", name], subnets].concat());
    }

    /// Makes a pool whose IPv4 and IPv6 subnets are in different VLANs, so that no interface can
    /// have an address of each.
    pub(crate) fn create_torn_pool(&self) {
        let subnets = ["--subnet", "10.21.0.0/28", "--subnet", "fd00:21::/124"];
        self.create_pool("torn", &subnets);
        records::change_pool(self, "torn", |pool| {
            for (subnet, vlan) in pool.subnets.iter_mut().zip([7_u16, 8]) {
                subnet.vlan = vlan.try_into().ok();
            }
        });
    }

    /// The configuration of the first node.
    pub(crate) fn config(&self) -> Value {
        self.config_of(self.node())
    }

    /// The configuration of `node`.
    pub(crate) fn config_of(&self, node: &Node) -> Value {
        let mut config = json!({
            "cniVersion": "1.1.0", "name": NETWORK, "type": "berth", "node": node.name(),
            "runDir": node.file("run"), "stateDir": node.file("state"),
            "ipam": {"pool": POOL, "store": self.store()},
        });
        let switched = self
            .ovs
            .as_ref()
            .filter(|_| node.name() == self.node().name());
        let driver = match switched {
            None => json!({"master": UPLINK, "mode": "bridge"}),
            Some(ovs) => json!({"driver": "ovs", "bridge": ovs::BRIDGE, "ovsdb": ovs.socket()}),
        };
        let fields = driver.as_object().into_iter().flatten();
        for (name, value) in fields {
            config[name] = value.clone();
        }
        config
    }

    /// [`Ground::config`] with one more field, or another value of one.
    pub(crate) fn config_with(&self, pointer: &str, value: Value) -> Value {
        let mut config = self.config();
        set(&mut config, pointer, value);
        config
    }

    /// A fresh container on the first node.
    pub(crate) fn container(&self, id: &str) -> Container<'_> {
        self.container_on(self.node(), id)
    }

    /// A fresh container on `node`.
    pub(crate) fn container_on<'a>(&'a self, node: &'a Node, id: &str) -> Container<'a> {
        Container::new(self, node, id)
    }

    /// The addresses that are held, in order, as `cnictl ip list` shows them.
    pub(crate) fn held(&self) -> Vec<IpAddr> {
        let listed = self.cnictl(&["ip", "list", "-o", "json"]);
        let rows: Vec<Value> = serde_json::from_str(&listed).expect("`ip list` prints JSON");
        let address = |row: &Value| row.get("address")?.as_str()?.parse().ok();
        rows.iter()
            .map(|row| address(row).expect("a row has an address"))
            .collect()
    }

    /// Who holds `address`: `node/network/container/ifname`.
    pub(crate) fn holder(&self, address: IpAddr) -> Option<String> {
        let records = records::addresses(self);
        let (_, record) = records.into_iter().find(|(known, _)| *known == address)?;
        Some(record.holder?.attachment.to_string())
    }

    /// Nothing is held, nothing half made, and no node has a link or file of an attachment.
    #[track_caller]
    pub(crate) fn assert_clean(&self, case: &str) {
        assert_eq!(self.held(), NOTHING, "held addresses: {case}");
        let live: Vec<_> = records::attachments(self)
            .into_iter()
            .filter(|(_, record)| !records::is_tombstone(record))
            .collect();
        assert!(
            live.is_empty(),
            "attachments in the store: {case}: {live:?}"
        );
        for node in &self.nodes {
            assert_node_clean(node, case);
        }
        if let Some(ovs) = &self.ovs {
            assert_eq!(ovs.ports(), [""; 0], "ports of the bridge: {case}");
        }
    }

    /// Every address of the pool [`POOL`], whose size is `size`, can still be handed out.
    #[track_caller]
    pub(crate) fn assert_no_leak(&self, size: usize) {
        let containers: Vec<_> = (0..size)
            .map(|n| self.container(&format!("whole-{n}")))
            .collect();
        for container in &containers {
            container.add().success();
        }
        assert_eq!(self.held().len(), size, "the whole pool is held");
        for container in &containers {
            container.del().success();
        }
        self.assert_clean("after the whole pool was handed out");
    }

    /// STATUS of the first node.
    pub(crate) fn status(&self, config: &Value) -> Reply {
        self.plugin
            .call(self.node(), &Call::new("STATUS", "", None, config))
    }
}

/// A node without a way to etcd, until this is dropped.
#[derive(Debug)]
pub(crate) struct CutOff<'a> {
    node: &'a Node,
    to: String,
}

impl Drop for CutOff<'_> {
    fn drop(&mut self) {
        self.node
            .netns()
            .ip(&["route", "del", "unreachable", &self.to]);
    }
}

/// No link, intent or record is left on `node`.
#[track_caller]
pub(crate) fn assert_node_clean(node: &Node, case: &str) {
    for folder in [
        "run/attachments",
        "run/intents",
        "run/ipam/attachments",
        "run/ipam/intents",
        "state/ovs",
    ] {
        assert_eq!(files(&node.file(folder)), [""; 0], "{folder}: {case}");
    }
    let mut links = node.netns().links();
    links.retain(|name| !ovs::LINKS.contains(&name.as_str()));
    assert_eq!(links, [UPLINK], "links of {}: {case}", node.name());
}

/// The files of the releases that wait for the store on `node`.
pub(crate) fn waiting(node: &Node) -> Vec<String> {
    let journal = node.file("state/journal");
    let notes = files(&journal).into_iter().map(|name| journal.join(name));
    let is_release = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "json")
            && fs::read_to_string(path).is_ok_and(|note| note.contains(r#""release""#))
    };
    notes
        .filter(is_release)
        .map(|path| path.display().to_string())
        .collect()
}

/// Sets the value at a JSON pointer, whose last step may be new.
pub(crate) fn set(config: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').expect("a JSON pointer");
    let parent = config.pointer_mut(parent).and_then(Value::as_object_mut);
    parent
        .expect("the parent is an object")
        .insert(key.replace("~1", "/"), value);
}

/// The names in `folder`, in order; none when there is no such folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// An address in a test.
pub(crate) fn ip(raw: &str) -> IpAddr {
    raw.parse().expect("an address")
}
