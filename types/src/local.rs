//! What a node remembers of an attachment: `<runDir>/attachments/<container>-<ifname>.json`.
//!
//! The plugin writes it when an interface is complete and removes it with the interface. Other
//! programs on the node read it to learn whose interface is whose.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use crate::record::{Record, SchemaVersion};
use crate::{AddressRecord, AttachmentId, IfName, Incarnation, MacAddr, NetnsRef, PodRef, VlanId};

/// The record file of one complete interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalAttachment {
    /// Schema version.
    pub v: SchemaVersion,
    /// Whose interface it is.
    pub attachment: AttachmentId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Its pod, when the runtime named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// What its traffic is summed up by, when its pod's annotation `berth.dev/workload` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The namespace it is in.
    pub netns: NetnsRef,
    /// The interface itself.
    pub link: LocalLink,
    /// Its addresses.
    pub addresses: Vec<LocalAddress>,
    /// The store's revision that gave them; absent when another IPAM did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The section `ipam` of its configuration, when another IPAM did: what DEL calls that with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipam: Option<serde_json::Value>,
    /// The result that was printed, for a repeated ADD.
    pub result: serde_json::Value,
}

impl Record for LocalAttachment {}

/// The interface, as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalLink {
    /// Its hardware address.
    pub mac: MacAddr,
    /// Its index in its namespace.
    pub ifindex: u32,
    /// The node's interface it stands on, or the bridge it is a port of.
    pub master: String,
    /// The VLAN it was put into; absent when the network has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<VlanId>,
    /// Its port, when it is one of an Open vSwitch bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<LocalPort>,
    /// The node's end of the pair by which node and container reach each other past the LAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_end: Option<IfName>,
    /// The limit on what arrives, in bits a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress_rate: Option<u64>,
    /// The limit on what leaves, in bits a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_rate: Option<u64>,
}

/// A port of an Open vSwitch bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalPort {
    /// Its name, which is that of the node's end of the veth as well.
    pub name: IfName,
    /// The bridge.
    pub bridge: IfName,
    /// The unix socket of the bridge's database.
    pub socket: PathBuf,
}

/// One address of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalAddress {
    /// The address with its subnet's prefix length.
    pub cidr: IpNetwork,
    /// Its default gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The store's record as it was written; absent when another IPAM gave the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<AddressRecord>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_link_without_limits_is_written_as_before_there_were_any() {
        let before = json!({"mac": "0a:58:0a:14:01:11", "ifindex": 2, "master": "bond1"});
        let link: LocalLink = serde_json::from_value(before.clone()).unwrap();
        assert_eq!((link.ingress_rate, link.egress_rate), (None, None));
        assert_eq!(serde_json::to_value(&link).unwrap(), before);
    }

    #[test]
    fn limits_are_read_back() {
        let written = json!({
            "mac": "0a:58:0a:14:01:11", "ifindex": 2, "master": "bond1",
            "ingressRate": 10_000_000, "egressRate": 1_000_000_000_000_000_u64,
        });
        let link: LocalLink = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(link.ingress_rate, Some(10_000_000));
        assert_eq!(serde_json::to_value(&link).unwrap(), written);
    }
}
