//! Who holds an address: attachments, holders, and the records of both.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::{Record, SchemaVersion};
use crate::{
    ContainerId, IfName, InvalidName, MacAddr, NetworkName, NodeId, NodeName, PoolName,
    ReservationId,
};

/// How many earlier holders an address's record remembers.
pub const REMEMBERED_HOLDERS: usize = 4;

/// One interface of one container on one network of one node.
///
/// Written `node/network/container/ifname`, which is also its key's end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttachmentId {
    /// The node.
    pub node: NodeName,
    /// The network's name.
    pub network: NetworkName,
    /// The container (for Kubernetes: the pod's sandbox).
    pub container: ContainerId,
    /// The interface in the container.
    pub ifname: IfName,
}

impl fmt::Display for AttachmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            network,
            container,
            ifname,
        } = self;
        write!(f, "{node}/{network}/{container}/{ifname}")
    }
}

impl FromStr for AttachmentId {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = raw.split('/').collect();
        let [node, network, container, ifname] = parts.as_slice() else {
            return Err(InvalidName {
                what: "attachment id",
                value: raw.to_owned(),
                rule: "write NODE/NETWORK/CONTAINER/IFNAME",
            });
        };
        Ok(Self {
            node: node.parse()?,
            network: network.parse()?,
            container: container.parse()?,
            ifname: ifname.parse()?,
        })
    }
}

impl TryFrom<String> for AttachmentId {
    type Error = InvalidName;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        raw.parse()
    }
}

impl From<AttachmentId> for String {
    fn from(id: AttachmentId) -> Self {
        id.to_string()
    }
}

/// A random number drawn by every ADD, 32 hexadecimal digits.
///
/// It tells apart the lives of a container id that a runtime uses again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(String);

impl Incarnation {
    /// From 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }
}

impl Incarnation {
    /// The bytes it was drawn from; all zero for one that no ADD drew.
    pub fn to_bytes(&self) -> [u8; 16] {
        u128::from_str_radix(&self.0, 16).unwrap_or(0).to_be_bytes()
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Kubernetes pod, as the runtime names it. Empty fields are unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PodRef {
    /// `K8S_POD_NAMESPACE`.
    pub namespace: String,
    /// `K8S_POD_NAME`.
    pub name: String,
    /// `K8S_POD_UID`.
    pub uid: String,
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Where a container's network namespace was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetnsRef {
    /// Its path, as the runtime gave it.
    pub path: PathBuf,
    /// Its inode number in nsfs; the kernel may use it again once the namespace is gone.
    pub inode: u64,
}

/// Who holds an address now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Which interface.
    pub attachment: AttachmentId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Its pod, when the runtime named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// The hardware address that answers for it.
    pub mac: MacAddr,
    /// Since when; for people.
    pub since: Timestamp,
}

/// Who held an address before; for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// Which interface.
    pub attachment: AttachmentId,
    /// Its pod, when the runtime named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// From when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// The record at `addresses/<address>`. This one key decides who holds the address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// The pool it belongs to.
    pub pool: PoolName,
    /// Who holds it; nobody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// The reservation it is kept for; never given to anybody else while that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_for: Option<ReservationId>,
    /// Somebody may bear it of whom the store does not know: it was reclaimed on evidence other than
    /// its own node's, or was heard on the wire. Used last; stays until whoever holds it has asked
    /// the wire and heard nobody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
    /// When it was last given up; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
    /// The last holders, newest first, at most [`REMEMBERED_HOLDERS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Previous>,
}

impl Record for AddressRecord {}

impl AddressRecord {
    /// A record of an address of `pool` that nobody ever held.
    pub const fn unused(pool: PoolName) -> Self {
        Self {
            v: SchemaVersion,
            pool,
            holder: None,
            reserved_for: None,
            unproven: false,
            released_at: None,
            previous: Vec::new(),
        }
    }

    /// The record once `holder` has the address; doubts about it stay.
    #[must_use]
    pub fn held_by(&self, holder: Holder) -> Self {
        Self {
            holder: Some(holder),
            released_at: None,
            ..self.clone()
        }
    }

    /// The record once its holder has given it up at `now`; unchanged when nobody held it.
    #[must_use]
    pub fn released(&self, now: Timestamp) -> Self {
        let Some(holder) = self.holder.clone() else {
            return self.clone();
        };
        let Holder {
            attachment,
            pod,
            since,
            incarnation: _,
            mac: _,
        } = holder;
        let mut previous = vec![Previous {
            attachment,
            pod,
            since,
            until: now,
        }];
        previous.extend(self.previous.iter().take(REMEMBERED_HOLDERS - 1).cloned());
        Self {
            holder: None,
            released_at: Some(now),
            previous,
            ..self.clone()
        }
    }
}

/// Where an attachment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It holds its addresses.
    Live,
    /// It was deleted while an ADD's transaction may still have been under way; the record stands
    /// in that transaction's way and is removed later.
    Deleted,
}

/// The record at `attachments/<node>/<network>/<container>/<ifname>`: makes ADD idempotent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// What it holds; empty when deleted.
    pub addresses: Vec<IpAddr>,
    /// Its pod, when the runtime named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<NetnsRef>,
    /// The node's random identity.
    pub node_id: NodeId,
    /// Which ADD wrote it.
    pub incarnation: Incarnation,
    /// Where it is in its life.
    pub phase: Phase,
}

impl Record for AttachmentRecord {}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(container: &str) -> Holder {
        Holder {
            attachment: format!("n1/pods/{container}/eth0").parse().unwrap(),
            incarnation: Incarnation::from_random([7; 16]),
            pod: None,
            mac: "0a:58:0a:14:01:11".parse().unwrap(),
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_attachment_id_survives_its_text() {
        let id: AttachmentId = "n1/pods/0f3a/eth0".parse().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "n1/pods/0f3a", "n1/pods/0f3a/eth0/x", "n1//0f3a/eth0"] {
            assert!(bad.parse::<AttachmentId>().is_err(), "case: {bad:?}");
        }
    }

    #[test]
    fn a_released_address_remembers_its_last_holders_newest_first() {
        let mut record = AddressRecord::unused("prod".parse().unwrap());
        for n in 0..6 {
            record = record
                .held_by(holder(&format!("c{n}")))
                .released(Timestamp::UNIX_EPOCH);
        }
        let names: Vec<_> = record
            .previous
            .iter()
            .map(|p| p.attachment.container.as_str())
            .collect();
        assert_eq!(names, ["c5", "c4", "c3", "c2"]);
        assert_eq!(record.holder, None);
        assert_eq!(AddressRecord::decode("k", &record.encode()), Ok(record));
    }

    #[test]
    fn a_doubtful_address_stays_so_from_holder_to_holder() {
        let mut record = AddressRecord::unused("prod".parse().unwrap());
        record.unproven = true;
        let held = record.held_by(holder("c1"));
        assert!(held.unproven && held.released(Timestamp::UNIX_EPOCH).unproven);
    }

    #[test]
    fn releasing_what_nobody_holds_changes_nothing() {
        let record = AddressRecord::unused("prod".parse().unwrap());
        assert_eq!(record.released(Timestamp::UNIX_EPOCH), record);
    }
}
