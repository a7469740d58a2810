//! Who is measured with `--ovs`: the driver `ovs` beside Debian's bridge + host-local.

use std::io;
use std::process::Command;

use serde_json::{Value, json};

use super::contender::{Contender, Setup};
use crate::debian;
use crate::netns::Netns;
use crate::ovs::{BRIDGE, Ovs};
use crate::plugin::Plugin;
use crate::process::Measured;

impl Setup<'_> {
    /// The reference first, which makes a bridge of the kernel's own with its first ADD; then
    /// berth with the embedded store, then berth with etcd, both on `ovs`.
    ///
    /// # Panics
    /// When a plugin is missing.
    pub fn switched_contenders(&self, ovs: &Ovs) -> Vec<Contender> {
        let reference = json!({
            "cniVersion": "1.0.0", "name": "reference", "type": "bridge", "bridge": "cni0",
            "ipam": {
                "type": "host-local", "subnet": "10.20.1.0/24", "gateway": "10.20.1.1",
                "routes": [{ "dst": "0.0.0.0/0" }], "dataDir": self.node.file("host-local"),
            },
        });
        let berth = |id: &str, store: Value| {
            json!({
                "cniVersion": "1.0.0", "name": id, "type": "berth", "driver": "ovs",
                "bridge": BRIDGE, "ovsdb": ovs.socket(), "node": "n1",
                "runDir": self.memory.path().join(id),
                "stateDir": self.node.file(&format!("{id}-state")),
                "ipam": { "pool": "bench", "store": store },
            })
        };
        let embedded = json!({ "embedded": self.node.file("ipam") });
        let etcd = json!({ "etcd": { "endpoints": [self.etcd.endpoint()] } });
        let mut contenders = vec![Contender {
            name: "bridge + host-local".to_owned(),
            id: "reference".to_owned(),
            chain: vec![(Plugin::reference("bridge"), reference)],
        }];
        let ours = [
            ("berth ovs, embedded store", "embedded", embedded),
            ("berth ovs, etcd", "etcd", etcd),
        ];
        contenders.extend(ours.map(|(name, id, store)| Contender {
            name: name.to_owned(),
            id: id.to_owned(),
            chain: vec![(Plugin::berth(), berth(id, store))],
        }));
        contenders
    }
}

/// Starts an `ip` that makes a veth into `container`, and nothing else. To be called on the node.
///
/// # Errors
/// When it cannot be started.
pub fn bare_link(container: &Netns) -> io::Result<Measured> {
    let mut command = Command::new(debian::require("ip", "iproute2"));
    command.env_clear().args(["link", "add", "floor0", "up"]);
    command.args(["type", "veth", "peer", "name", "eth0", "netns"]);
    Measured::start(command.arg(container.path()), &[])
}
