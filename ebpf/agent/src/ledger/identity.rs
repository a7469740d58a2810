//! Whose a slot is, as it stands beside its counters.

use serde::{Deserialize, Serialize};

use berth_ebpf_common::{Count, IDENTITY_BYTES, WORKLOAD_IDENTITY_BYTES};
use berth_types::{ContainerId, IfName, Incarnation, NetnsRef, NetworkName};

use crate::model::{Driver, Mode, Pod, WorkloadName};

/// One life of one interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life {
    /// Its sandbox.
    pub container: ContainerId,
    /// Its name in the container.
    pub ifname: IfName,
    /// Which life of it.
    pub incarnation: Incarnation,
}

/// Where an interface is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// In the container's namespace, by its index there.
    Container {
        /// The namespace.
        netns: NetnsRef,
        /// The index.
        ifindex: u32,
    },
    /// The node's end of a pair, by its name.
    Node {
        /// The name.
        name: IfName,
    },
}

/// Where the counts of an interface went on from, in another version's maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// That version.
    pub abi: u32,
    /// The slot there.
    pub slot: u32,
    /// Its generation.
    pub generation: u64,
}

/// Everything that is known of a slot's interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its pod.
    pub pod: Pod,
    /// Its sandbox.
    pub container: ContainerId,
    /// Its name in the container.
    pub ifname: IfName,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Its network.
    pub network: NetworkName,
    /// What it belongs to.
    pub workload: WorkloadName,
    /// What it is.
    pub driver: Driver,
    /// Families of its addresses.
    pub family: Family,
    /// Where it is.
    pub place: Place,
    /// How it is counted, receive and transmit.
    pub mode: [Mode; 2],
    /// Which program counts it, and with which constants; 0 when none does.
    pub program: u64,
    /// What the device had counted of what the slot's base stands for: bytes and packets, receive
    /// and transmit.
    pub accounted: [(u64, u64); 2],
    /// The programs were away: what the device counted meanwhile is yet to be added to the base.
    pub pending: bool,
    /// What its counts go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Former>,
}

/// Families of an interface's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// No IPv6.
    Ipv4,
    /// No IPv4.
    Ipv6,
    /// Both.
    Dual,
}

impl Family {
    /// As it stands in labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Dual => "dual",
        }
    }
}

impl Identity {
    /// Which life of which interface it is.
    pub fn life(&self) -> Life {
        Life {
            container: self.container.clone(),
            ifname: self.ifname.clone(),
            incarnation: self.incarnation.clone(),
        }
    }

    /// What the device had counted of the base, receive and transmit.
    pub fn accounted(&self) -> [Count; 2] {
        self.accounted
            .map(|(bytes, packets)| Count { bytes, packets })
    }

    /// The text that is kept; names that would not fit are cut, so that it always does.
    pub fn encode(&self) -> ([u8; IDENTITY_BYTES], u32) {
        // Each cut takes the names with it that a hostile pod can make longest, escapes counted.
        for most in [usize::MAX, 128, 48, 8] {
            let mut cut = self.clone();
            for name in [
                &mut cut.pod.namespace,
                &mut cut.pod.name,
                &mut cut.pod.uid,
                &mut cut.workload.namespace,
                &mut cut.workload.name,
            ] {
                shorten(name, most);
            }
            if let Some(fits) = encoded(&cut) {
                return fits;
            }
        }
        ([0; IDENTITY_BYTES], 0)
    }

    /// Reads it back; `None` when it is not what [`Identity::encode`] writes.
    pub fn decode(text: &[u8], len: u32) -> Option<Self> {
        serde_json::from_slice(text.get(..usize::try_from(len).ok()?)?).ok()
    }
}

impl WorkloadName {
    /// Of those for which there is no entry of their own.
    pub fn others() -> Self {
        Self {
            namespace: String::new(),
            kind: "other".into(),
            name: "other".into(),
        }
    }

    /// Of the slot that all count into for which there is none.
    pub fn overflow() -> Self {
        Self {
            namespace: String::new(),
            kind: "other".into(),
            name: "overflow".into(),
        }
    }

    /// The text that is kept; `None` when it does not fit.
    pub fn encode(&self) -> Option<([u8; WORKLOAD_IDENTITY_BYTES], u32)> {
        encoded(self)
    }

    /// Reads it back.
    pub fn decode(text: &[u8], len: u32) -> Option<Self> {
        serde_json::from_slice(text.get(..usize::try_from(len).ok()?)?).ok()
    }
}

fn encoded<const N: usize>(value: &impl Serialize) -> Option<([u8; N], u32)> {
    let text = serde_json::to_vec(value).ok()?;
    let mut whole = [0; N];
    whole.get_mut(..text.len())?.copy_from_slice(&text);
    Some((whole, u32::try_from(text.len()).ok()?))
}

/// Cuts `name` to at most `most` bytes, between two characters.
fn shorten(name: &mut String, most: usize) {
    if name.len() > most {
        name.truncate(name.floor_char_boundary(most));
    }
}
