//! Records about the whole store: its nodes, whether it is closed, who waits for what.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{NodeId, NodeName};
use crate::record::{Record, SchemaVersion};
use crate::{AttachmentId, PodRef};

/// The record at `nodes/<node>`: which machine has the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// The random id in the machine's `<stateDir>/node-id`.
    pub node_id: NodeId,
    /// The machine's `/etc/machine-id`; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub machine_id: String,
    /// The boot it was last seen in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub boot_id: String,
    /// When its upkeep last finished a pass; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upkeep: Option<Timestamp>,
    /// The closure that the node has published its attachments for, or was declared dead in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
}

impl Record for NodeRecord {}

/// How a node answered a closure of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The closure's id.
    pub closure: ClosureId,
    /// How.
    pub how: NodeAnswer,
}

/// How a node answered a closure of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeAnswer {
    /// It published all it has.
    Republished,
    /// An operator says that it is gone for good.
    Dead,
}

/// A random number that tells one closure of the store from the next, 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClosureId(String);

impl ClosureId {
    /// From 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }
}

impl fmt::Display for ClosureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The record at `closed`: nobody allocates while it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// Which closure it is.
    pub id: ClosureId,
    /// Why, in a sentence.
    pub reason: String,
    /// The node that noticed; absent when an operator closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noticed_by: Option<NodeName>,
    /// Since when; for people.
    pub since: Timestamp,
}

impl Record for ClosedRecord {}

/// The record at `wanted/<address>`: who waits for a fixed address whose holder is not proven gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// The attachment that asked last.
    pub attachment: AttachmentId,
    /// Its pod, when the runtime named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// The holder that stands in the way.
    pub holder: AttachmentId,
    /// Since when; for people.
    pub since: Timestamp,
}

impl Record for WantedRecord {}
