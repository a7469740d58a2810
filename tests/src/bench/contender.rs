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

/// The limit of the contenders that have one, in bits a second; also their burst, in bits, which
/// the reference wants to be told.
const RATE: u64 = 100_000_000;

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
            chain: vec![(plugin, config)],
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

    /// Interfaces with a limit in both directions: the chain `bridge` and `bandwidth` first, for
    /// `bandwidth` refuses a macvlan, then berth, which needs no second plugin.
    ///
    /// # Panics
    /// When a plugin is missing.
    pub fn bandwidth_contenders(&self) -> Vec<Contender> {
        let bridge = json!({
            "cniVersion": "1.0.0", "name": "reference", "type": "bridge", "bridge": "cni0",
            "ipam": {
                "type": "host-local", "subnet": "10.20.1.0/24", "gateway": "10.20.1.1",
                "routes": [{ "dst": "0.0.0.0/0" }], "dataDir": self.node.file("host-local"),
            },
        });
        let bandwidth = json!({
            "cniVersion": "1.0.0", "name": "reference", "type": "bandwidth",
            "runtimeConfig": {"bandwidth": {
                "ingressRate": RATE, "ingressBurst": RATE, "egressRate": RATE, "egressBurst": RATE,
            }},
        });
        let mut contenders = self.contenders();
        for contender in &mut contenders {
            contender.limit(RATE);
        }
        if let Some(reference) = contenders.first_mut() {
            "bridge + host-local + bandwidth".clone_into(&mut reference.name);
            reference.chain = vec![
                (Plugin::reference("bridge"), bridge),
                (Plugin::reference("bandwidth"), bandwidth),
            ];
        }
        contenders
    }

    /// Berth with the embedded store and a limit of so many Mbit/s in both directions.
    ///
    /// # Panics
    /// When a plugin is missing.
    pub fn limited(&self, megabits: u32) -> Contender {
        let mut contenders = self.contenders();
        let mut berth = contenders.swap_remove(1);
        berth.limit(u64::from(megabits) * 1_000_000);
        berth
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
            chain: vec![(Plugin::reference("host-local"), reference)],
        }];
        contenders.extend(ours.map(|(name, (id, config))| Contender {
            name: name.to_owned(),
            id,
            chain: vec![(Plugin::at(program("berth-ipam", "berth-cni")), config)],
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

/// A chain of plugins, mostly of one, each with its configuration.
#[derive(Clone, Debug)]
pub struct Contender {
    /// What people call it.
    pub name: String,
    /// The start of its containers' ids.
    pub id: String,
    /// In the order of an ADD.
    pub(super) chain: Vec<(Plugin, Value)>,
}

impl Contender {
    /// Sets the value at a JSON pointer of the first plugin's configuration, whose last step may be
    /// new.
    pub(super) fn set(&mut self, pointer: &str, value: &Value) {
        let (parent, key) = pointer.rsplit_once('/').expect("a JSON pointer");
        let config = self.chain.first_mut().map(|(_, config)| config);
        let parent = config.and_then(|config| config.pointer_mut(parent));
        let parent = parent.and_then(Value::as_object_mut);
        parent
            .expect("an object")
            .insert(key.to_owned(), value.clone());
    }

    fn limit(&mut self, rate: u64) {
        for (_, config) in &mut self.chain {
            let config = config.as_object_mut();
            let config = config.expect("a configuration is an object");
            let limits = json!({"bandwidth": {"ingressRate": rate, "egressRate": rate}});
            config.insert("runtimeConfig".to_owned(), limits);
        }
    }

    /// How many plugins an ADD or a DEL calls, one after the other.
    pub fn links(&self) -> usize {
        self.chain.len()
    }

    /// Starts an ADD of the plugin `link` for `container`, after the one before it had `previous`
    /// as its result. To be called on the node.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn add(
        &self,
        link: usize,
        container: &Netns,
        previous: Option<&Value>,
    ) -> io::Result<Measured> {
        Self::start("ADD", container, self.chain.get(link), previous)
    }

    /// Starts a DEL of the plugin `link`, counted from the last one, for `container`, which was
    /// given `result`. To be called on the node.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn del(&self, link: usize, container: &Netns, result: &Value) -> io::Result<Measured> {
        let plugin = self.chain.iter().rev().nth(link);
        Self::start("DEL", container, plugin, Some(result))
    }

    fn start(
        verb: &str,
        container: &Netns,
        plugin: Option<&(Plugin, Value)>,
        previous: Option<&Value>,
    ) -> io::Result<Measured> {
        let (plugin, config) = plugin.expect("a plugin of the chain");
        let mut config = config.clone();
        if let (Some(config), Some(previous)) = (config.as_object_mut(), previous) {
            config.insert("prevResult".to_owned(), previous.clone());
        }
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
            stdin: config.to_string().into_bytes(),
        };
        // Nothing runs between fork and exec, so the standard library can use vfork: starting a
        // process costs the same however much memory the benchmark has.
        let mut command = Command::new(&plugin.bin);
        plugin.set_environment(&mut command, &call);
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
