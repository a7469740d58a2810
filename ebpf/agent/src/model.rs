//! What the agent knows at one moment: read from the kernel once, shown in every form.
//!
//! Plain data. Directions are the container's, counters never go back for one `created`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use berth_ebpf_common::{Count, Scope, Totals, Unattributed};
use berth_types::{ContainerId, IfName, NetworkName, NodeName};

/// All of it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub taken: Timestamp,
    /// The node.
    pub node: NodeName,
    /// Every interface that is counted, and those that ended a moment ago.
    pub interfaces: Vec<Interface>,
    /// Every container that is counted within its pod.
    pub containers: Vec<Container>,
    /// Every workload that has or had a pod here: the ended ones and the live ones together.
    pub workloads: Vec<Workload>,
    /// What no container could be named for, by [`Unattributed`].
    pub unattributed: Vec<(Unattributed, ContainerCounts)>,
    /// How the agent itself does.
    pub health: Health,
}

/// A pod's identity, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pod {
    /// Its namespace; empty for a container outside Kubernetes.
    pub namespace: String,
    /// Its name; the container's id outside Kubernetes.
    pub name: String,
    /// Its uid; may be empty.
    pub uid: String,
}

/// What a pod belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkloadName {
    /// Its namespace.
    pub namespace: String,
    /// How it is known: `annotation`, `label` or `name`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// How an interface is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By TCX (Linux 6.6).
    Tcx,
    /// By filters of a clsact qdisc.
    Clsact,
    /// By the kernel's own counters of the device.
    Device,
    /// Not at all.
    Off,
}

/// What the interface is an end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// A macvlan, counted within the container's namespace.
    Macvlan,
    /// A port of an Open vSwitch bridge, counted at the node's end.
    Ovs,
}

/// One interface of one container.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its pod.
    pub pod: Pod,
    /// Its sandbox.
    pub container: ContainerId,
    /// Its name in the container.
    pub ifname: IfName,
    /// Its network.
    pub network: NetworkName,
    /// What it belongs to.
    pub workload: WorkloadName,
    /// What the pod's owner calls the application, when the runtime has told.
    pub app: Option<String>,
    /// What it is.
    pub driver: Driver,
    /// Families of its addresses: `ipv4`, `ipv6` or `dual`.
    pub ip_family: &'static str,
    /// How it is counted, receive and transmit.
    pub mode: [Mode; 2],
    /// Since when.
    pub created: Timestamp,
    /// Counting continued from the device's own counters.
    pub estimated: bool,
    /// Its slot is that of all for which none was left: its totals are not its own.
    pub overflowed: bool,
    /// It has ended, and is shown until it has been seen once more.
    pub ended: bool,
    /// What was counted.
    pub totals: Totals,
    /// What the kernel's own counters of the device say, when they were read.
    pub device: Option<DeviceCounts>,
    /// By how much our count and the device's differ, receive and transmit, as a ratio; absent when
    /// it was not looked at.
    pub drift: Option<[f64; 2]>,
}

/// `rtnl_link_stats64` of an interface, as the container sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounts {
    /// Received.
    pub receive: DeviceDirection,
    /// Sent.
    pub transmit: DeviceDirection,
}

/// One direction of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceDirection {
    /// Bytes and packets.
    pub count: Count,
    /// Packets that were dropped.
    pub dropped: u64,
    /// Packets that were wrong.
    pub errors: u64,
}

/// One container of a pod with several.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its pod.
    pub pod: Pod,
    /// Its name in the pod.
    pub name: String,
    /// Since when it is counted.
    pub created: Timestamp,
    /// What was counted.
    pub counts: ContainerCounts,
}

/// From the network header on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerCounts {
    /// Received.
    pub receive: Count,
    /// Sent.
    pub transmit: Count,
    /// Received by the loopback interface.
    pub loopback_receive: Count,
    /// Sent to the loopback interface.
    pub loopback_transmit: Count,
}

impl ContainerCounts {
    /// Adds what `other` counted.
    pub const fn add(&mut self, other: &Self) {
        let Self {
            receive,
            transmit,
            loopback_receive,
            loopback_transmit,
        } = other;
        add(&mut self.receive, *receive);
        add(&mut self.transmit, *transmit);
        add(&mut self.loopback_receive, *loopback_receive);
        add(&mut self.loopback_transmit, *loopback_transmit);
    }
}

const fn add(to: &mut Count, more: Count) {
    let Count { bytes, packets } = more;
    to.bytes = to.bytes.wrapping_add(bytes);
    to.packets = to.packets.wrapping_add(packets);
}

/// A workload with all its pods of this node.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Which.
    pub name: WorkloadName,
    /// Since when.
    pub created: Timestamp,
    /// What was counted.
    pub totals: Totals,
}

/// How the agent itself does.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// When the agent started, in seconds since 1970.
    pub started: f64,
    /// Attachment records that were found, and how many of them are counted.
    pub coverage: (usize, usize),
    /// Links by hook and state.
    pub links: Vec<LinkCount>,
    /// Links of ours that counted an interface once more and were removed so far, receive and
    /// transmit.
    pub duplicates_removed: [u64; 2],
    /// Failures to attach so far, by hook and reason.
    pub attach_failures: Vec<(String, String, u64)>,
    /// Maps: name, entries in use, most entries, bytes.
    pub maps: Vec<(String, u64, u64, u64)>,
    /// Updates of maps that failed so far, by map.
    pub map_failures: Vec<(String, u64)>,
    /// Where counting went on from, by `pin`, `checkpoint` or `none`.
    pub restored: Vec<(String, u64)>,
    /// Comparisons with the device's counters that failed so far, by reason.
    pub audit_failures: Vec<(String, u64)>,
    /// Whether the runtime's socket answers; absent where none is configured.
    pub cri_up: Option<bool>,
    /// Containers that could not be identified so far, by source.
    pub lookup_failures: Vec<(String, u64)>,
    /// For how many seconds the oldest record waits that is not counted; absent where nobody waits
    /// for records.
    pub events_lag: Option<f64>,
    /// Network namespaces that are held open now.
    pub open_netns: u64,
    /// What our programs did while that was measured; empty when it never was.
    pub programs: Vec<ProgramRuns>,
    /// Why something is not counted as it should be, a sentence each.
    pub degraded: Vec<String>,
    /// The running kernel's release.
    pub kernel: String,
}

/// How many links of one hook are in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCount {
    /// `receive`, `transmit` or `cgroup`.
    pub hook: &'static str,
    /// `attached`, `defunct`, `orphan` or `duplicate`.
    pub state: &'static str,
    /// How many.
    pub links: u64,
}

/// What all programs of one name did together while that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramRuns {
    /// Their name in the object.
    pub program: String,
    /// How often they ran.
    pub runs: u64,
    /// For how long, in nanoseconds.
    pub nanoseconds: u64,
}

/// The name of a scope in labels.
pub const fn scope_label(scope: Scope) -> &'static str {
    match scope {
        Scope::SameNode => "same_node",
        Scope::Cluster => "cluster",
        Scope::External => "external",
        Scope::Other => "other",
    }
}
