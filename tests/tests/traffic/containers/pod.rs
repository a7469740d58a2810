//! A pod with several containers: programs in cgroups as a runtime makes them, in one network
//! namespace; and peers on the LAN whose devices tell what was on the wire.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use e2e::debian;
use e2e::lan::{BRIDGE, Node, UPLINK};
use e2e::netns::Netns;
use e2e::wait::becomes_true;
use serde_json::Value;

use crate::engine::ground::{Ground, PATIENCE, quiet};

/// Where the unified hierarchy is.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/// The LAN's gateway.
const GATEWAY: &str = "10.20.1.1";

/// What the test's part of it begins with.
const PREFIX: &str = "berth-test-";

/// A part of the hierarchy of the test's own. Removed on drop, when its processes have ended.
#[derive(Debug)]
pub(crate) struct Cgroups {
    root: PathBuf,
}

impl Cgroups {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unified = UNIFIED.iter().map(Path::new);
        let unified = { unified }
            .find(|path| path.join("cgroup.procs").exists())
            .expect("mount cgroup2 to run this test");
        sweep(unified);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = unified.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&root).expect("make a cgroup (run as root)");
        Self { root }
    }

    /// Its path below the root of the hierarchy.
    pub(crate) fn path(&self) -> String {
        let name = self.root.file_name().expect("a name");
        format!("/{}", name.to_string_lossy())
    }

    /// Makes the cgroup `path`, which is relative to this one.
    pub(crate) fn make(&self, path: &str) -> PathBuf {
        let made = self.root.join(path);
        fs::create_dir_all(&made).expect("make a cgroup");
        made
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        becomes_true(Duration::from_secs(10), || remove(&self.root));
    }
}

/// Removes the cgroup with those below; whether it is gone. One with processes stays.
pub(crate) fn remove(cgroup: &Path) -> bool {
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove(&entry.path());
    }
    drop(fs::remove_dir(cgroup));
    !cgroup.exists()
}

/// Removes what tests left behind whose process is gone.
fn sweep(unified: &Path) {
    let entries = fs::read_dir(unified).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(&entry.path());
        }
    }
}

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

/// Receive and transmit.
pub(crate) type Counts = [Count; 2];

impl Peer {
    /// The `number`-th node of the LAN, counted from 1, with the address 10.20.200.`number`.
    pub(crate) fn new(ground: &Ground, number: u8) -> Self {
        let node = ground.lan.node(&format!("peer{number}"));
        quiet(node.netns());
        let address = format!("10.20.200.{number}");
        let with_prefix = format!("{address}/16");
        node.netns()
            .ip(&["address", "add", &with_prefix, "dev", UPLINK]);
        let worker = Worker::start(node.netns(), None);
        Self {
            node,
            worker,
            address,
        }
    }

    /// Has every packet between the two cross the device as it is on the wire, and none of ARP's.
    pub(crate) fn face(&self, ground: &Ground, pod: &Netns) {
        let (lan, node) = (ground.lan.netns(), self.node.netns());
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
    pub(crate) fn unplug(&self, ground: &Ground) {
        ground.lan.unplug(&self.node);
    }

    /// Puts it back.
    pub(crate) fn plug(&self, ground: &Ground) {
        ground.lan.plug(&self.node);
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

/// A pod of several containers.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) netns: Netns,
    pub(crate) uid: String,
    pub(crate) sandbox: String,
    pub(crate) cgroups: &'a Cgroups,
}

impl<'a> Group<'a> {
    /// The pod `name` with an interface and a sandbox, and no container yet. `digit` makes its ids.
    pub(crate) fn new(ground: &'a Ground, cgroups: &'a Cgroups, name: &str, digit: char) -> Self {
        let of = |count| digit.to_string().repeat(count);
        let uid = [of(8), of(4), of(4), of(4), of(12)].join("-");
        let sandbox = format!("{}{}", of(60), "5a5a");
        let netns = ground.connect(name, &sandbox, &uid);
        let group = Self {
            ground,
            netns,
            uid,
            sandbox,
            cgroups,
        };
        group.cgroup(&group.sandbox);
        group
    }

    /// The pod's cgroup.
    pub(crate) fn path(&self) -> String {
        format!("kubepods/burstable/pod{}", self.uid)
    }

    /// The cgroup of the container `id`.
    pub(crate) fn cgroup(&self, id: &str) -> PathBuf {
        self.cgroups.make(&format!("{}/{id}", self.path()))
    }

    /// A program in the container `id`.
    pub(crate) fn container(&self, id: &str) -> Worker {
        Worker::start(&self.netns, Some(&self.cgroup(id)))
    }

    /// The containers that are shown, by their names.
    pub(crate) fn shown(&self) -> Vec<(String, Value)> {
        let snapshot = self.ground.snapshot();
        let containers = snapshot["containers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let own = containers.into_iter().filter(|one| one["uid"] == self.uid);
        own.map(|one| {
            (
                one["name"].as_str().expect("a name").to_owned(),
                one["counts"].clone(),
            )
        })
        .collect()
    }

    /// What the container `name` received and sent.
    pub(crate) fn counts(&self, name: &str) -> Option<Counts> {
        let found = self.shown().into_iter().find(|(known, _)| known == name)?;
        Some(["receive", "transmit"].map(|way| count(&found.1[way])))
    }

    /// Waits until the containers `names` are told apart.
    #[track_caller]
    pub(crate) fn wait_split(&self, names: &[&str]) {
        let apart = becomes_true(PATIENCE, || {
            if !self.ground.pins().join("workloads").exists() {
                return false;
            }
            let shown: Vec<String> = self.shown().into_iter().map(|(name, _)| name).collect();
            let links = self.ground.links();
            let pair = links.iter().filter(|link| link.starts_with("pod-")).count();
            shown == names && pair >= 2
        });
        if !apart {
            let log = fs::read_to_string(self.ground.scratch.join("agent.log"));
            let (snapshot, links) = (self.ground.snapshot(), self.ground.links());
            panic!("{names:?} are not told apart: {links:?} {snapshot:#} {log:?}");
        }
    }

    /// The container `name` has what was on the wire, as soon as nothing is on its way any more.
    #[track_caller]
    pub(crate) fn assert_exact(&self, case: &str, name: &str, wire: impl Fn() -> Counts) {
        let (mut counted, mut wanted) = (None, Counts::default());
        let settled = becomes_true(Duration::from_secs(20), || {
            counted = self.counts(name);
            wanted = wire();
            counted == Some(wanted)
        });
        assert!(
            settled,
            "{case}: {name} has {counted:?}, on the wire were {wanted:?}"
        );
    }
}

pub(crate) fn count(value: &Value) -> Count {
    let number = |field: &str| value[field].as_u64().expect("a counter");
    Count {
        bytes: number("bytes"),
        packets: number("packets"),
    }
}

/// A container's id, and the name it has until the runtime has told another.
pub(crate) fn id(digit: char) -> (String, String) {
    let id = digit.to_string().repeat(64);
    let short = digit.to_string().repeat(12);
    (id, short)
}
