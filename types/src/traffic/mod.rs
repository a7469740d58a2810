//! What the traffic counters of a node say: the JSON of `/api/v1/traffic`.
//!
//! Directions are the container's. Bytes of interfaces are those of frames on the wire without
//! checksum; bytes of containers are those from the IP header on. Whoever reads it passes over
//! fields that it does not know.

mod row;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::SchemaVersion;

pub use row::{
    ContainerTraffic, CountTraffic, DetailTraffic, DeviceTraffic, DirectionTraffic,
    InterfaceTraffic, Scoped, TcpTraffic, TwoWays, UnattributedTraffic, WorkloadTraffic,
};

/// Everything that one node counts, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Schema version.
    pub v: SchemaVersion,
    /// When it was taken.
    pub taken: Timestamp,
    /// The node and its agent.
    pub node: NodeTraffic,
    /// Interfaces, by namespace, pod and name.
    pub interfaces: Vec<InterfaceTraffic>,
    /// Containers, by namespace, pod and name.
    pub containers: Vec<ContainerTraffic>,
    /// Workloads, those whose pods have all ended included.
    pub workloads: Vec<WorkloadTraffic>,
    /// What no container could be named for.
    pub unattributed: Vec<UnattributedTraffic>,
}

/// A node, and how its agent does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeTraffic {
    /// The node.
    pub name: String,
    /// The agent's version.
    pub version: String,
    /// The running kernel's release.
    pub kernel: String,
    /// The agent's start, in seconds since 1970.
    pub started: f64,
    /// The ways interfaces are counted now: `tcx`, `clsact`, `device`, `off`.
    pub modes: Vec<String>,
    /// Interfaces that are recorded.
    pub recorded: usize,
    /// How many of them are counted.
    pub counted: usize,
    /// For how many seconds the oldest of them waits that is not counted; absent from agents that do
    /// not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_lag: Option<f64>,
    /// Links of the agent's that counted an interface once more and were removed so far.
    #[serde(default)]
    pub duplicates_removed: u64,
    /// The greatest relative difference to the devices' own counters; absent when none was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<f64>,
    /// Why something is not counted as it should be, a sentence each.
    pub degraded: Vec<String>,
}
