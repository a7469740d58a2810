//! Programs that speak with each other, and peers on the LAN whose devices tell what was on the wire.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use e2e::debian;
use e2e::lan::{BRIDGE, Lan, Node, UPLINK};
use e2e::netns::Netns;
use serde_json::Value;

use crate::engine::ground::quiet;

/// The LAN's gateway.
const GATEWAY: &str = "10.20.1.1";

/// A program that does what it is told. Killed on drop.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// In `netns`; and in `cgroup`, when there is one.
    pub(crate) fn start(netns: &Netns, cgroup: Option<&Path>) -> Self {
        let mut command: Command = netns.command(debian::require("sh", "dash"));
        let join = cgroup.map_or(String::new(), |cgroup| {
            format!("echo $$ > {}/cgroup.procs && ", cgroup.display())
        });
        command.args([
            "-c",
            &format!("{join}exec {}", env!("CARGO_BIN_EXE_traffic-worker")),
        ]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("start a worker");
        Self {
            orders: child.stdin.take().expect("its stdin"),
            answers: BufReader::new(child.stdout.take().expect("its stdout")),
            child,
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to do `what` without waiting.
    pub(crate) fn order(&mut self, what: &str) {
        writeln!(self.orders, "{what}").expect("the worker listens");
    }

    /// What it answers.
    pub(crate) fn answer(&mut self) -> String {
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("the worker answers");
        assert!(!answer.is_empty(), "the worker has ended");
        answer.trim().to_owned()
    }

    /// Tells it to do `what`, and waits for the answer.
    pub(crate) fn tell(&mut self, what: &str) -> String {
        self.order(what);
        self.answer()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A machine on the LAN whose device counts what is on the wire.
#[derive(Debug)]
pub(crate) struct Peer {
    node: Node,
    pub(crate) worker: Worker,
    pub(crate) address: String,
}

/// What a direction had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
}

impl Count {
    /// What came since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            packets: self.packets - before.packets,
        }
    }
}

/// Receive and transmit.
pub(crate) type Counts = [Count; 2];

impl Peer {
    /// The `number`-th node of the LAN, counted from 1, with the address 10.20.200.`number`.
    pub(crate) fn new(lan: &Lan, number: u8) -> Self {
        Self::at(lan, &format!("10.20.200.{number}/16"))
    }

    /// A node of the LAN with the address of `with_prefix`.
    pub(crate) fn at(lan: &Lan, with_prefix: &str) -> Self {
        let (address, _) = with_prefix.split_once('/').expect("CIDR notation");
        let node = lan.node(&format!("peer-{address}"));
        quiet(node.netns());
        node.netns()
            .ip(&["address", "add", with_prefix, "dev", UPLINK]);
        let worker = Worker::start(node.netns(), None);
        Self {
            node,
            worker,
            address: address.to_owned(),
        }
    }

    /// Has every packet between the two cross the device as it is on the wire, and none of ARP's.
    pub(crate) fn face(&self, lan: &Lan, pod: &Netns) {
        let (lan, node) = (lan.netns(), self.node.netns());
        let ends = [(node, UPLINK), (pod, "eth0"), (lan, BRIDGE)];
        let mac = |(netns, name): (&Netns, &str)| {
            let link = netns.link(name).expect("its link");
            link["address"].as_str().expect("its address").to_owned()
        };
        let [here, there, gateway] = ends.map(mac);
        let pod_address = pod
            .addresses("eth0")
            .first()
            .expect("an address")
            .to_string();
        let permanent = ["nud", "permanent", "dev"];
        let add = |netns: &Netns, to: &str, mac: &str, dev: &str| {
            netns.ip(&[
                &["neighbour", "replace", to, "lladdr", mac],
                &permanent[..],
                &[dev],
            ]
            .concat());
        };
        add(node, &pod_address, &there, UPLINK);
        add(pod, &self.address, &here, "eth0");
        add(node, GATEWAY, &gateway, UPLINK);
        add(lan, &self.address, &here, BRIDGE);
        // The bridge floods what is for a machine that it has never heard.
        let answers = node.ping(GATEWAY.parse().expect("an address"));
        assert!(answers, "the gateway answers");
        node.ip(&["link", "set", UPLINK, "gso_max_segs", "1"]);
        // Its port of the bridge.
        for port in lan.links() {
            if port.starts_with("port") {
                lan.ip(&["link", "set", &port, "gso_max_segs", "1"]);
            }
        }
    }

    /// Pulls its cable.
    pub(crate) fn unplug(&self, lan: &Lan) {
        lan.unplug(&self.node);
    }

    /// Puts it back.
    pub(crate) fn plug(&self, lan: &Lan) {
        lan.plug(&self.node);
    }

    /// What a container received of it and sent to it, from the network header on: the device's
    /// counters without the Ethernet header.
    pub(crate) fn wire(&self) -> Counts {
        let shown = self.node.netns().ip_json(&["-s", "link", "show", UPLINK]);
        ["tx", "rx"].map(|way| {
            let number = |field: &str| shown[0]["stats64"][way][field].as_u64().expect("a counter");
            let packets = number("packets");
            Count {
                bytes: number("bytes") - 14 * packets,
                packets,
            }
        })
    }
}

pub(crate) fn count(value: &Value) -> Count {
    let number = |field: &str| value[field].as_u64().expect("a counter");
    Count {
        bytes: number("bytes"),
        packets: number("packets"),
    }
}
