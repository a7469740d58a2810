//! Who is measured, and how each is called.

use std::io;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::debian;
use crate::etcd::Etcd;
use crate::lan::{Node, UPLINK};
use crate::netns::Netns;
use crate::plugin::{Call, Plugin, cnictl, program};
use crate::process::{self, Measured};

/// What runs for the whole benchmark: the pools, and the etcd that one of the contenders uses.
#[derive(Debug)]
pub struct Setup<'a> {
    pub(super) node: &'a Node,
    /// The contenders' stores as `cnictl --store` takes them.
    stores: [String; 2],
    pub(super) etcd: Etcd,
    /// On a file system in memory, as the `/run` of the default `runDir` is.
    pub(super) memory: TempDir,
}

impl<'a> Setup<'a> {
    /// Starts etcd on `node`, and makes a pool in either store.
    ///
    /// # Panics
    /// When a program is missing or fails.
    pub fn new(node: &'a Node) -> Self {
        let etcd = Etcd::start_in(node.netns());
        let stores = [
            format!("embedded:{}", node.file("ipam").display()),
            format!("etcd:{}", etcd.endpoint()),
        ];
        for (store, net) in stores.iter().zip([2, 3]) {
            let [subnet, gateway] = [format!("10.20.{net}.0/24"), format!("10.20.{net}.1")];
            let mut command = cnictl(node, store);
            command.args([
                "pool",
                "create",
                "bench",
                "--subnet",
                &subnet,
                "--gateway",
                &gateway,
            ]);
            process::output(&mut command);
        }
        let memory = TempDir::new_in("/dev/shm").expect("a folder in /dev/shm");
        Self {
            node,
            stores,
            etcd,
            memory,
        }
    }

    /// The reference first, then berth with the embedded store, then berth with etcd.
    ///
    /// # Panics
    /// When a plugin is missing.
    pub fn contenders(&self) -> Vec<Contender> {
        let ipam = self.node.file("ipam");
        let reference = json!({
            "cniVersion": "1.0.0", "name": "reference", "type": "macvlan",
            "master": UPLINK, "mode": "bridge",
            "ipam": {
                "type": "host-local", "subnet": "10.20.1.0/24", "gateway": "10.20.1.1",
                "routes": [{ "dst": "0.0.0.0/0" }], "dataDir": self.node.file("host-local"),
            },
        });
        let berth = |id: &str, store: Value| {
            json!({
                "cniVersion": "1.0.0", "name": id, "type": "berth", "driver": "macvlan",
                "master": UPLINK, "mode": "bridge", "node": "n1",
                "runDir": self.memory.path().join(id),
                "stateDir": self.node.file(&format!("{id}-state")),
                "ipam": { "pool": "bench", "store": store },
            })
        };
        let contender = |name: &str, id: &str, plugin, config| Contender {
            name: name.to_owned(),
            id: id.to_owned(),
            plugin,
            config,
        };
        let embedded = berth("embedded", json!({ "embedded": ipam }));
        let etcd = berth(
            "etcd",
            json!({ "etcd": { "endpoints": [self.etcd.endpoint()] } }),
        );
        vec![
            contender(
                "macvlan + host-local",
                "reference",
                Plugin::reference("macvlan"),
                reference,
            ),
            contender(
                "berth, embedded store",
                "embedded",
                Plugin::berth(),
                embedded,
            ),
            contender("berth, etcd", "etcd", Plugin::berth(), etcd),
        ]
    }

    /// Delegated IPAM alone, without an interface: the reference first, then `berth-ipam` with the
    /// embedded store, then with etcd.
    ///
    /// # Panics
    /// When a plugin is missing.
    pub fn ipam_contenders(&self) -> Vec<Contender> {
        let within = |ipam: Value| {
            json!({
                "cniVersion": "1.0.0", "name": "bench", "type": "macvlan", "master": UPLINK,
                "ipam": ipam,
            })
        };
        let reference = within(json!({
            "type": "host-local", "subnet": "10.20.1.0/24", "gateway": "10.20.1.1",
            "dataDir": self.node.file("host-local"),
        }));
        let berth = |id: &str, store: Value| {
            let config = within(json!({
                "type": "berth-ipam", "pool": "bench", "store": store, "node": "n1",
                "runDir": self.memory.path().join(id),
                "stateDir": self.node.file(&format!("{id}-state")),
            }));
            (id.to_owned(), config)
        };
        let etcd = json!({ "etcd": { "endpoints": [self.etcd.endpoint()] } });
        let ours = [
            (
                "berth-ipam, embedded store",
                berth("embedded", json!({ "embedded": self.node.file("ipam") })),
            ),
            ("berth-ipam, etcd", berth("etcd", etcd)),
        ];
        let mut contenders = vec![Contender {
            name: "host-local".to_owned(),
            id: "reference".to_owned(),
            plugin: Plugin::reference("host-local"),
            config: reference,
        }];
        contenders.extend(ours.map(|(name, (id, config))| Contender {
            name: name.to_owned(),
            id,
            plugin: Plugin::at(program("berth-ipam", "berth-cni")),
            config,
        }));
        contenders
    }

    /// # Panics
    /// When a store still gives an address to anybody.
    pub fn nothing_is_held(&self) {
        for store in &self.stores {
            let mut command = cnictl(self.node, store);
            let listed = process::output(command.args(["ip", "list", "-o", "json"]));
            let listed: Value = serde_json::from_str(&listed).expect("`cnictl -o json` is JSON");
            assert_eq!(listed, json!([]), "still held in {store}");
        }
    }
}

/// One plugin with its configuration.
#[derive(Clone, Debug)]
pub struct Contender {
    /// What people call it.
    pub name: String,
    /// The start of its containers' ids.
    pub id: String,
    pub(super) plugin: Plugin,
    pub(super) config: Value,
}

impl Contender {
    /// Starts an ADD for `container`. To be called on the node.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn add(&self, container: &Netns) -> io::Result<Measured> {
        self.start("ADD", container, self.config.to_string())
    }

    /// Starts a DEL for `container`, which was given `result`. To be called on the node.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn del(&self, container: &Netns, result: &Value) -> io::Result<Measured> {
        let mut config = self.config.clone();
        if let Some(config) = config.as_object_mut() {
            config.insert("prevResult".to_owned(), result.clone());
        }
        self.start("DEL", container, config.to_string())
    }

    fn start(&self, verb: &str, container: &Netns, stdin: String) -> io::Result<Measured> {
        let id = container.name();
        let args = format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME={id};\
             K8S_POD_INFRA_CONTAINER_ID={id};K8S_POD_UID={id}"
        );
        let call = Call {
            command: verb,
            container: id,
            netns: Some(container.path()),
            ifname: "eth0",
            args: &args,
            stdin: stdin.into_bytes(),
        };
        // Nothing runs between fork and exec, so the standard library can use vfork: starting a
        // process costs the same however much memory the benchmark has.
        let mut command = Command::new(&self.plugin.bin);
        self.plugin.set_environment(&mut command, &call);
        Measured::start(&mut command, &call.stdin)
    }
}

/// Starts a process that does nothing.
///
/// # Errors
/// When it cannot be started.
pub fn empty_process() -> io::Result<Measured> {
    Measured::start(
        Command::new(debian::require("true", "coreutils")).env_clear(),
        &[],
    )
}

/// Starts an `ip` that makes the link of an ADD in `container`, and nothing else. To be called
/// on the node.
///
/// # Errors
/// When it cannot be started.
pub fn bare_link(container: &Netns) -> io::Result<Measured> {
    let mut command = Command::new(debian::require("ip", "iproute2"));
    command
        .env_clear()
        .args(["link", "add", "link", UPLINK, "name", "eth0", "netns"]);
    command
        .arg(container.path())
        .args(["up", "type", "macvlan", "mode", "bridge"]);
    Measured::start(&mut command, &[])
}

/// Starts an `ip` that removes what [`bare_link`] made. To be called in the container.
///
/// # Errors
/// When it cannot be started.
pub fn bare_unlink() -> io::Result<Measured> {
    let mut command = Command::new(debian::require("ip", "iproute2"));
    Measured::start(command.env_clear().args(["link", "del", "eth0"]), &[])
}
