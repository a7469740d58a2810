//! A node with the plugin, a file system of pins of its own, and the agent.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use e2e::debian;
use e2e::lan::{Lan, LanOptions, Node, UPLINK};
use e2e::netns::Netns;
use e2e::ovs::{self, Ovs};
use e2e::plugin::{Call, Plugin, cnictl, program};
use e2e::process::{self, Daemon};
use e2e::scratch::Scratch;
use e2e::wait::until;
use serde_json::{Value, json};

/// How long anything may take on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Who answers pings and refuses datagrams.
const GATEWAY: &str = "10.20.1.1";

/// A node. Everything is gone on drop.
#[derive(Debug)]
pub(crate) struct Ground {
    // In the order in which they have to go.
    ovs: Option<Ovs>,
    pub(crate) node: Node,
    pub(crate) lan: Lan,
    plugin: Plugin,
    pub(crate) scratch: Scratch,
}

/// One direction of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) receive: (u64, u64),
    pub(crate) transmit: (u64, u64),
}

impl Ground {
    /// With containers on macvlan interfaces.
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// With containers on ports of Open vSwitch.
    pub(crate) fn switched() -> Self {
        Self::with(Some(Ovs::start))
    }

    fn with(ovs: Option<fn(&Node) -> Ovs>) -> Self {
        let lan = Lan::new(&LanOptions {
            subnet: "10.20.0.0/16".into(),
            ..LanOptions::default()
        });
        let node = lan.node("n1");
        quiet(lan.netns());
        quiet(node.netns());
        let scratch = Scratch::new("traffic");
        let pins = scratch.join("bpf");
        fs::create_dir(&pins).expect("make the folder of the pins");
        let mut mount = Command::new(debian::require("mount", "mount"));
        process::output(mount.args(["-t", "bpf", "bpf"]).arg(&pins));
        let ovs = ovs.map(|start| start(&node));
        let ground = Self {
            ovs,
            node,
            lan,
            plugin: Plugin::berth(),
            scratch,
        };
        let store = format!("embedded:{}", ground.node.file("ipam").display());
        let pool = ["--subnet", "10.20.0.0/16", "--gateway", GATEWAY];
        let mut create = cnictl(&ground.node, &store);
        process::output(create.args(["pool", "create", "prod"]).args(pool));
        fs::create_dir_all(ground.run_dir().join("attachments")).expect("make the run folder");
        ground
    }

    fn run_dir(&self) -> PathBuf {
        self.node.file("run")
    }

    /// The folder of this version's pins.
    pub(crate) fn pins(&self) -> PathBuf {
        self.scratch.join("bpf/berth/v1")
    }

    /// The names of the pinned links.
    pub(crate) fn links(&self) -> Vec<String> {
        let entries = fs::read_dir(self.pins().join("links"));
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn config(&self) -> Value {
        let mut config = json!({
            "cniVersion": "1.1.0", "name": "pods", "type": "berth", "node": "n1",
            "runDir": self.run_dir(), "stateDir": self.node.file("state"),
            "ipam": {"pool": "prod", "store": {"embedded": self.node.file("ipam")}},
        });
        let driver = match &self.ovs {
            None => json!({"master": UPLINK, "mode": "bridge"}),
            Some(ovs) => json!({"driver": "ovs", "bridge": ovs::BRIDGE, "ovsdb": ovs.socket()}),
        };
        for (name, value) in driver.as_object().into_iter().flatten() {
            config[name] = value.clone();
        }
        config
    }

    /// A pod of the namespace `shop`, connected.
    pub(crate) fn pod(&self, name: &str) -> Pod<'_> {
        let pod = Pod {
            ground: self,
            name: name.to_owned(),
            id: format!("sandbox-{name}"),
            netns: self.node.container(name),
        };
        quiet(&pod.netns);
        pod.call("ADD");
        pod
    }

    /// The namespace of a pod of `shop`, connected as `sandbox`. It is never deleted by the plugin.
    pub(crate) fn connect(&self, name: &str, sandbox: &str, uid: &str) -> Netns {
        let netns = self.node.container(name);
        quiet(&netns);
        self.call("ADD", (name, sandbox, uid), &netns);
        netns
    }

    /// Calls the plugin for a pod of the namespace `shop`, of that name, sandbox and uid.
    pub(crate) fn call(&self, command: &str, pod: (&str, &str, &str), netns: &Netns) {
        let (name, sandbox, uid) = pod;
        let args =
            format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name};K8S_POD_UID={uid}");
        let config = self.config();
        let call = Call {
            args: &args,
            ..Call::new(command, sandbox, Some(netns.path()), &config)
        };
        self.plugin.call(&self.node, &call).success();
    }

    /// The agent's command line with `arguments`.
    pub(crate) fn agent(&self, arguments: &[&str]) -> Command {
        self.agent_at(&program("traffic-agent", "traffic-agent"), arguments)
    }

    /// The same of another program.
    pub(crate) fn agent_at(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = self.node.command(program);
        command
            .args(["--node", "n1", "--run-dir"])
            .arg(self.run_dir());
        command.arg("--bpffs").arg(self.scratch.join("bpf"));
        command.arg("--state-dir").arg(self.node.file("state"));
        // Other tests' pods have cgroups at the same time.
        if !arguments.contains(&"--cgroup") {
            command.args(["--containers", "off"]);
        }
        command.args(arguments);
        command
    }

    /// A running agent. It ends with the thread that calls this.
    pub(crate) fn start(&self, arguments: &[&str]) -> Daemon {
        Daemon::start(&mut self.agent(arguments), &self.scratch.join("agent.log"))
    }

    /// What `traffic-agent snapshot` shows.
    pub(crate) fn snapshot(&self) -> Value {
        let shown = process::output(&mut self.agent(&["snapshot", "-o", "json"]));
        serde_json::from_str(&shown).expect("a snapshot is JSON")
    }

    /// The interface of the pod `name` in a snapshot.
    pub(crate) fn shown(&self, name: &str) -> Option<Value> {
        if !self.pins().join("workloads").exists() {
            return None;
        }
        let snapshot = self.snapshot();
        let interfaces = snapshot["interfaces"].as_array()?.clone();
        interfaces.into_iter().find(|one| one["pod"] == name)
    }

    /// What is counted of every pod, by its name.
    pub(crate) fn all_counted(&self) -> BTreeMap<String, Counts> {
        let snapshot = self.snapshot();
        let interfaces = snapshot["interfaces"].as_array().into_iter().flatten();
        let named = interfaces.filter_map(|one| Some((one["pod"].as_str()?, &one["totals"])));
        named
            .map(|(name, totals)| (name.to_owned(), counts(totals)))
            .collect()
    }

    /// What the workload `name` has in sum.
    pub(crate) fn workload(&self, name: &str) -> Option<Counts> {
        let snapshot = self.snapshot();
        let workloads = snapshot["workloads"].as_array()?;
        let found = workloads.iter().find(|one| one["name"] == name)?;
        Some(counts(&found["totals"]))
    }

    /// The same, when there is an agent that has its maps.
    pub(crate) fn workload_if_any(&self, name: &str) -> Option<Counts> {
        self.pins()
            .join("workloads")
            .exists()
            .then(|| self.workload(name))?
    }

    /// Empties the file system of pins, as a reboot does.
    pub(crate) fn forget_pins(&self) {
        let pins = self.scratch.join("bpf");
        let mut umount = Command::new(debian::require("umount", "mount"));
        process::output(umount.arg(&pins));
        let mut mount = Command::new(debian::require("mount", "mount"));
        process::output(mount.args(["-t", "bpf", "bpf"]).arg(&pins));
    }

    /// How many things are not as they should be, by the agent's metrics.
    pub(crate) fn degraded(&self) -> Option<f64> {
        self.metric("berth_agent_degraded")
    }

    /// A metric without labels.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let mut curl = self.node.command(debian::require("curl", "curl"));
        let ran = curl
            .args(["--silent", "http://127.0.0.1:9455/metrics"])
            .output();
        let text = String::from_utf8(ran.expect("start curl").stdout).expect("metrics are text");
        let mut lines = text.lines();
        lines.find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(' ')?;
            value.parse().ok()
        })
    }

    /// How many pods are counted by `mode` both ways.
    pub(crate) fn counted_by(&self, mode: &str) -> usize {
        let snapshot = self.snapshot();
        let interfaces = snapshot["interfaces"].as_array().into_iter().flatten();
        interfaces
            .filter(|shown| shown["mode"] == json!([mode, mode]) && shown["ended"] == false)
            .count()
    }

    /// Waits until the pod `name` is counted by `mode` both ways.
    pub(crate) fn wait_counted(&self, name: &str, mode: &str) {
        until(PATIENCE, &format!("{name} is counted by {mode}"), || {
            self.shown(name).is_some_and(|shown| {
                shown["mode"] == json!([mode, mode]) && shown["ended"] == false
            })
        });
    }

    /// Waits until the pod `name` has ended and stands in its workload.
    pub(crate) fn wait_folded(&self, name: &str) {
        until(PATIENCE, &format!("{name} is folded"), || {
            self.shown(name).is_none()
        });
    }
}

/// A pod. Its namespace is gone on drop; its interface is not deleted by the plugin.
#[derive(Debug)]
pub(crate) struct Pod<'a> {
    ground: &'a Ground,
    pub(crate) name: String,
    id: String,
    pub(crate) netns: Netns,
}

impl Pod<'_> {
    fn call(&self, command: &str) {
        let args = format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME={};K8S_POD_UID=u-{}",
            self.name, self.name
        );
        let config = self.ground.config();
        let call = Call {
            args: &args,
            ..Call::new(command, &self.id, Some(self.netns.path()), &config)
        };
        self.ground.plugin.call(&self.ground.node, &call).success();
    }

    /// DEL.
    pub(crate) fn delete(&self) {
        self.call("DEL");
    }

    /// Does `work` while the pod sends all the time.
    pub(crate) fn under_load(&self, work: impl FnOnce()) {
        let done = AtomicBool::new(false);
        let netns = &self.netns;
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    send(netns, 50, 400);
                }
            });
            work();
            done.store(true, Ordering::Relaxed);
        });
    }

    /// Sends `count` datagrams of `bytes` to the gateway, which answers each that it has time for.
    pub(crate) fn send(&self, count: usize, bytes: usize) {
        send(&self.netns, count, bytes);
    }

    /// What the device itself has counted: nothing here is segmented or merged.
    pub(crate) fn device(&self) -> Counts {
        let shown = self.netns.ip_json(&["-s", "link", "show", "eth0"]);
        let stats = &shown[0]["stats64"];
        let way = |way: &str| {
            let number = |field: &str| stats[way][field].as_u64().expect("a counter");
            (number("bytes"), number("packets"))
        };
        Counts {
            receive: way("rx"),
            transmit: way("tx"),
        }
    }

    /// What the agent has counted of it.
    pub(crate) fn counted(&self) -> Counts {
        self.ground
            .shown(&self.name)
            .map(|shown| counts(&shown["totals"]))
            .unwrap_or_default()
    }

    /// Its counters and the device's are the same, as soon as nothing is on its way any more.
    #[track_caller]
    pub(crate) fn assert_exact(&self, case: &str) {
        let (mut device, mut counted) = (self.device(), self.counted());
        let settled = e2e::wait::becomes_true(Duration::from_secs(20), || {
            device = self.device();
            counted = self.counted();
            device == counted
        });
        assert!(
            settled,
            "{case}: the device has {device:?}, counted were {counted:?}"
        );
    }

    /// The same, but for the received bytes: a macvlan counts the header of its neighbours' broadcasts
    /// twice.
    #[track_caller]
    pub(crate) fn assert_exact_among_others(&self, case: &str) {
        let mut both = (self.device(), self.counted());
        let settled = e2e::wait::becomes_true(Duration::from_secs(20), || {
            both = (self.device(), self.counted());
            let (device, counted) = both;
            device.transmit == counted.transmit && device.receive.1 == counted.receive.1
        });
        assert!(settled, "{case}: device and counted: {both:?}");
    }

    /// The gateway reaches it.
    pub(crate) fn address(&self) -> IpAddr {
        let addresses = self.netns.addresses("eth0");
        *addresses.first().expect("an address")
    }
}

/// Sends `count` datagrams of `bytes` out of `netns` to the gateway.
fn send(netns: &Netns, count: usize, bytes: usize) {
    netns.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        let payload = vec![7; bytes];
        for _ in 0..count {
            // The answer to an earlier one is an error of a later one.
            drop(socket.send_to(&payload, (GATEWAY, 9)));
        }
    });
}

/// Leaves IPv6 out, whose neighbour discovery speaks up at any time.
pub(crate) fn quiet(netns: &Netns) {
    netns.run(|| {
        for which in ["all", "default"] {
            let file = format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6");
            fs::write(file, "1").expect("switch IPv6 off");
        }
    });
}

/// The counts among `totals`.
pub(crate) fn counts(totals: &Value) -> Counts {
    let way = |way: &str| {
        let number = |field: &str| totals[way][field].as_u64().expect("a counter");
        (number("bytes"), number("packets"))
    };
    Counts {
        receive: way("receive"),
        transmit: way("transmit"),
    }
}
