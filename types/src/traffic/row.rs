//! The rows of the traffic of a node.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The same of both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwoWays<T> {
    /// Received.
    pub receive: T,
    /// Sent.
    pub transmit: T,
}

/// Bytes and packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountTraffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

/// By where the peer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scoped {
    /// On this node.
    pub same_node: CountTraffic,
    /// A pod or service of the clusters.
    pub cluster: CountTraffic,
    /// Anywhere else.
    pub external: CountTraffic,
    /// Nowhere that could be named.
    pub other: CountTraffic,
}

/// One direction of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectionTraffic {
    /// The sum over all scopes.
    pub total: CountTraffic,
    /// By where the peer is.
    pub scopes: Scoped,
    /// By protocol and family, of which only what is not zero.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<DetailTraffic>,
    /// What the device's own counters say, where they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceTraffic>,
}

/// One protocol in one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailTraffic {
    /// `tcp`, `udp`, `icmp`, `sctp` or `other`.
    pub protocol: String,
    /// `ipv4`, `ipv6` or `none`.
    pub family: String,
    /// What was counted.
    #[serde(flatten)]
    pub count: CountTraffic,
}

/// A device's own counters, which count what is yet to be segmented as one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceTraffic {
    /// What was counted.
    #[serde(flatten)]
    pub count: CountTraffic,
    /// Packets that were dropped.
    pub dropped: u64,
    /// Packets that were wrong.
    pub errors: u64,
}

/// One interface of one pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceTraffic {
    /// The pod's namespace; empty outside Kubernetes.
    pub namespace: String,
    /// The pod; the container's id outside Kubernetes.
    pub pod: String,
    /// The pod's uid; may be empty.
    pub uid: String,
    /// The sandbox.
    pub container: String,
    /// The interface's name in it.
    pub interface: String,
    /// Its network.
    pub network: String,
    /// `macvlan` or `ovs`.
    pub driver: String,
    /// `ipv4`, `ipv6` or `dual`.
    pub ip_family: String,
    /// The workload it belongs to.
    pub workload: String,
    /// How that is known.
    pub workload_kind: String,
    /// How it is counted: `tcx`, `clsact`, `device` or `off`.
    pub mode: TwoWays<String>,
    /// Since when.
    pub created: Timestamp,
    /// Counting continued from the device's own counters.
    pub estimated: bool,
    /// The totals are those of all interfaces for which the agent had no room.
    pub overflowed: bool,
    /// It has ended.
    pub ended: bool,
    /// What was counted.
    #[serde(flatten)]
    pub traffic: TwoWays<DirectionTraffic>,
    /// The relative difference to the device's own counters; absent when it was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<TwoWays<f64>>,
    /// How its TCP does.
    pub tcp: TcpTraffic,
}

/// TCP of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpTraffic {
    /// Segments sent again.
    pub retransmits: u64,
    /// Segments with RST that were received and sent.
    pub resets: [u64; 2],
    /// Connections the pod opened.
    pub opened: u64,
    /// Connections the pod could not open.
    pub failed: u64,
    /// Connections the pod accepted.
    pub accepted: u64,
}

/// One container of a pod with several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerTraffic {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The pod's uid; may be empty.
    pub uid: String,
    /// The container's name.
    pub container: String,
    /// Since when it is counted.
    pub created: Timestamp,
    /// What was counted.
    #[serde(flatten)]
    pub traffic: TwoWays<CountTraffic>,
    /// What went through the loopback interface.
    pub loopback: TwoWays<CountTraffic>,
}

/// A workload with all its pods of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadTraffic {
    /// Its namespace.
    pub namespace: String,
    /// How it is known.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Since when it is counted.
    pub created: Timestamp,
    /// What was counted.
    #[serde(flatten)]
    pub traffic: TwoWays<DirectionTraffic>,
}

/// What no container could be named for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnattributedTraffic {
    /// `pod_cgroup`, `unknown_cgroup` or `map_full`.
    pub reason: String,
    /// What was counted.
    #[serde(flatten)]
    pub traffic: TwoWays<CountTraffic>,
}
