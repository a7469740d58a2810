//! A node of a LAN with everything a container runtime needs to use `berth`: plugins, a network
//! configuration, and a store with the pool `prod`.

use std::cell::{RefCell, RefMut};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::debian;
use crate::enclosure::{Enclosure, plain_command};
use crate::etcd::Etcd;
use crate::lan::{Lan, LanOptions, Node, UPLINK};
use crate::netns::{self, Netns};
use crate::ovs::{self, Ovs};
use crate::plugin::program;
use crate::process;

/// The name of the network in the configuration.
pub const NETWORK: &str = "pods";

/// The pool that the configuration names, with the LAN's subnet and gateway.
pub const POOL: &str = "prod";

/// What the runtime calls as `berth`: it logs a line per call, and is the real one otherwise.
const LOGGING_PLUGIN: &str = r#"#!/bin/sh
"${0%/plugins/*}/programs/berth"
status=$?
echo "$CNI_COMMAND|$CNI_CONTAINERID|$CNI_IFNAME|$CNI_NETNS|$status" >> "${0%/plugins/*}/calls"
exit $status
"#;

/// A node ready for a runtime. Everything is gone on drop.
#[derive(Debug)]
pub struct Site {
    // In the order in which they have to go.
    enclosure: Enclosure,
    etcd: Option<RefCell<Etcd>>,
    ovs: Option<Ovs>,
    node: Node,
    lan: Lan,
}

/// A call of the plugin as the runtime made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedCall {
    /// `CNI_COMMAND`.
    pub command: String,
    /// `CNI_CONTAINERID`.
    pub container: String,
    /// `CNI_IFNAME`.
    pub ifname: String,
    /// `CNI_NETNS`; empty also when it was not set.
    pub netns: String,
    /// The plugin's exit code.
    pub status: u8,
}

impl Site {
    /// A node with an embedded store of its own.
    ///
    /// # Panics
    /// When a program is missing or the kernel refuses.
    pub fn with_embedded_store() -> Self {
        Self::new(None, None)
    }

    /// A node with an embedded store, and Open vSwitch between its containers and the LAN.
    ///
    /// # Panics
    /// When a program is missing or the kernel refuses.
    pub fn switched() -> Self {
        Self::new(None, Some(Ovs::start))
    }

    /// A node with a store in an etcd that listens on the node's loopback.
    ///
    /// # Panics
    /// When a program is missing or the kernel refuses.
    pub fn with_etcd() -> Self {
        Self::new(Some(Etcd::start_in), None)
    }

    fn new(etcd: Option<fn(&Netns) -> Etcd>, ovs: Option<fn(&Node) -> Ovs>) -> Self {
        let lan = Lan::new(&LanOptions::default());
        let node = lan.node("n1");
        let etcd = etcd.map(|start| RefCell::new(start(node.netns())));
        let ovs = ovs.map(|start| start(&node));
        let enclosure = Enclosure::new(&node);
        let site = Self {
            enclosure,
            etcd,
            ovs,
            node,
            lan,
        };
        site.install();
        site.configure(&site.plugin());
        let LanOptions {
            subnet,
            gateway,
            mtu: _,
        } = LanOptions::default();
        site.cnictl(&[
            "pool",
            "create",
            POOL,
            "--subnet",
            &subnet,
            "--gateway",
            &gateway.to_string(),
        ]);
        site
    }

    /// Where the runtime runs.
    pub fn enclosure(&self) -> &Enclosure {
        &self.enclosure
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The network around the node.
    pub fn lan(&self) -> &Lan {
        &self.lan
    }

    /// The store of [`Site::with_etcd`], to take it away and bring it back.
    ///
    /// # Panics
    /// When the site has an embedded store.
    pub fn etcd(&self) -> RefMut<'_, Etcd> {
        self.etcd.as_ref().expect("a site with etcd").borrow_mut()
    }

    /// Open vSwitch of [`Site::switched`].
    ///
    /// # Panics
    /// When the site has none.
    pub fn ovs(&self) -> &Ovs {
        self.ovs.as_ref().expect("a site with Open vSwitch")
    }

    /// The links that containers have on the node, and the bridge's ports for them.
    pub fn links(&self) -> Vec<String> {
        let mut links = self.node.netns().links();
        links.retain(|name| name != UPLINK && !ovs::LINKS.contains(&name.as_str()));
        links.extend(self.ovs.iter().flat_map(Ovs::ports));
        links
    }

    /// The configuration of `berth` for this node, as it stands in the conflist.
    pub fn plugin(&self) -> Value {
        let store = match &self.etcd {
            // A third of the default, because some tests wait for it again and again.
            Some(etcd) => {
                json!({"etcd": {"endpoints": [etcd.borrow().endpoint()], "timeoutMs": 1000}})
            }
            None => json!({"embedded": self.node.file("ipam")}),
        };
        let mut plugin = json!({
            "type": "berth", "node": self.node.name(),
            "runDir": self.node.file("run"), "stateDir": self.node.file("state"),
            "capabilities": {
                "ips": true, "mac": true, "bandwidth": true,
                "io.kubernetes.cri.pod-annotations": true,
            },
            "ipam": {"pool": POOL, "store": store},
        });
        let driver = match &self.ovs {
            None => json!({"driver": "macvlan", "master": UPLINK, "mode": "bridge"}),
            Some(ovs) => json!({"driver": "ovs", "bridge": ovs::BRIDGE, "ovsdb": ovs.socket()}),
        };
        if let (Value::Object(all), Value::Object(own)) = (&mut plugin, driver) {
            all.extend(own);
        }
        plugin
    }

    /// Makes `plugin` the only one of the network [`NETWORK`].
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn configure(&self, plugin: &Value) {
        let conflist = json!({"cniVersion": "1.0.0", "name": NETWORK, "plugins": [plugin]});
        let file = self.enclosure.file("networks").join("10-pods.conflist");
        let unfinished = file.with_extension("new");
        fs::write(&unfinished, conflist.to_string()).expect("write the conflist");
        fs::rename(unfinished, file).expect("put the conflist in place");
    }

    /// Runs `cnictl` on the site's store, where the plugin runs, and returns its output.
    ///
    /// # Panics
    /// When it fails.
    pub fn cnictl(&self, arguments: &[&str]) -> String {
        let store = match &self.etcd {
            Some(etcd) => format!("etcd:{}", etcd.borrow().endpoint()),
            None => format!("embedded:{}", self.node.file("ipam").display()),
        };
        let mut command = plain_command(self.enclosure.file("programs/cnictl"));
        command.args(["--store", &store]).args(arguments);
        self.enclosure.run(|| process::output(&mut command))
    }

    /// Who holds `address`, as `cnictl ip show` tells: null when nobody does.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub fn holder(&self, address: IpAddr) -> Value {
        let shown = self.cnictl(&["ip", "show", &address.to_string(), "-o", "json"]);
        let record: Value = serde_json::from_str(&shown).expect("JSON");
        record.get("holder").cloned().unwrap_or_default()
    }

    /// The calls of the plugin so far that have ended, in the order of their ends.
    ///
    /// # Panics
    /// When the log is not what the logging plugin writes.
    pub fn calls(&self) -> Vec<LoggedCall> {
        let log = fs::read_to_string(self.enclosure.file("calls")).unwrap_or_default();
        let parse = |line: &str| {
            let fields: [&str; 5] = line.split('|').collect::<Vec<_>>().try_into().ok()?;
            let [command, container, ifname, netns, status] = fields.map(str::to_owned);
            let status = status.parse().ok()?;
            Some(LoggedCall {
                command,
                container,
                ifname,
                netns,
                status,
            })
        };
        log.lines()
            .map(|line| parse(line).expect("a line of the log"))
            .collect()
    }

    /// The names of the attachment records that the plugin keeps on the node.
    pub fn local_records(&self) -> Vec<String> {
        let folder = fs::read_dir(self.node.file("run/attachments"));
        let entries = folder.into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// Runs `program` with `arguments` on the network of the container whose namespace is at
    /// `netns` inside the enclosure, and returns its output.
    ///
    /// # Panics
    /// When it fails.
    pub fn run_in(&self, netns: &Path, program: &Path, arguments: &[&str]) -> String {
        self.enclosure.run(|| {
            let mut command = netns::command_in(netns, program);
            process::output(command.args(arguments))
        })
    }

    /// Puts the plugins where the runtime looks for them, and copies of the programs where they
    /// can be seen, wherever the workspace is: `/run` and `/var/lib` are hidden in there.
    fn install(&self) {
        let [plugins, programs, networks] =
            ["plugins", "programs", "networks"].map(|name| self.enclosure.file(name));
        for folder in [&plugins, &programs, &networks] {
            fs::create_dir(folder).expect("make a folder");
        }
        install(&program("berth", "berth-cni"), &programs, "berth");
        install(&program("cnictl", "cnictl"), &programs, "cnictl");
        let logging = self.enclosure.file("logging-plugin");
        fs::write(&logging, LOGGING_PLUGIN).expect("write the logging plugin");
        install(&logging, &plugins, "berth");
        // containerd calls it for `lo` in every pod.
        let loopback = debian::require_cni_plugin("loopback");
        symlink(loopback, plugins.join("loopback")).expect("link the reference plugin");
    }
}

/// Copies `program` into `folder` as a program called `name`.
///
/// Another program does it: were the file open for writing here, a process forked just then by
/// another test's thread would keep it open, and nobody could execute it ("text file busy").
fn install(program: &Path, folder: &Path, name: &str) {
    let mut install = plain_command(debian::require("install", "coreutils"));
    install.arg("--mode=0755").arg(program);
    process::output(install.arg(folder.join(name)));
}
