//! The result of an ADD, in the shape of each version.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Version;
use super::config::null_is_empty;

/// A result in the terms of 1.1.0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniResult {
    /// The interfaces that were made.
    pub interfaces: Vec<Interface>,
    /// Their addresses.
    pub ips: Vec<Ip>,
    /// The routes that were set.
    pub routes: Vec<RouteEntry>,
    /// Passed through from the configuration.
    #[serde(default, skip_serializing_if = "Dns::is_empty")]
    pub dns: Dns,
}

/// Name servers for the container; this plugin only passes them on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// Their addresses, the preferred first.
    #[serde(
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub nameservers: Vec<String>,
    /// The domain that short names are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Domains that short names are looked up in.
    #[serde(
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub search: Vec<String>,
    /// Options of the resolver.
    #[serde(
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub options: Vec<String>,
}

impl Dns {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An interface of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: String,
    /// Its MTU, in bytes; told from 1.1.0 on.
    pub mtu: u32,
    /// Its namespace's path; empty for an interface of the node.
    #[serde(default)]
    pub sandbox: String,
}

/// An address of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ip {
    /// The address with its prefix length.
    pub address: IpNetwork,
    /// The default gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Which of the interfaces has it; a delegated plugin knows of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<usize>,
}

/// A route of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEntry {
    /// Destination.
    pub dst: IpNetwork,
    /// Next hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gw: Option<IpAddr>,
}

impl CniResult {
    /// The result as a configuration of `version` expects it. Without interfaces, which a
    /// delegated plugin does not make, there is no list of them either.
    pub fn to_json(&self, version: Version) -> String {
        format!("{:#}\n", Value::Object(self.to_object(version)))
    }

    /// The same, to be merged with others.
    pub(super) fn to_object(&self, version: Version) -> Map<String, Value> {
        let interfaces: Vec<_> = self
            .interfaces
            .iter()
            .map(|interface| interface.to_json(version))
            .collect();
        let ips: Vec<_> = self.ips.iter().map(|ip| ip.to_json(version)).collect();
        let mut object = Map::new();
        object.insert("cniVersion".into(), json!(version.as_str()));
        object.insert("ips".into(), json!(ips));
        object.insert("routes".into(), json!(self.routes));
        if !interfaces.is_empty() {
            object.insert("interfaces".into(), json!(interfaces));
        }
        if !self.dns.is_empty() {
            object.insert("dns".into(), json!(self.dns));
        }
        object
    }
}

impl Interface {
    fn to_json(&self, version: Version) -> Value {
        let Self {
            name,
            mac,
            mtu,
            sandbox,
        } = self;
        let mut object = json!({"name": name, "mac": mac});
        if let Some(object) = object.as_object_mut() {
            if version >= Version::V1_1_0 {
                object.insert("mtu".into(), json!(mtu));
            }
            if !sandbox.is_empty() {
                object.insert("sandbox".into(), json!(sandbox));
            }
        }
        object
    }
}

impl Ip {
    fn to_json(&self, version: Version) -> Value {
        let Self {
            address,
            gateway,
            interface,
        } = self;
        let mut object = json!({"address": address});
        if let Some(object) = object.as_object_mut() {
            if let Some(interface) = interface {
                object.insert("interface".into(), json!(interface));
            }
            if let Some(gateway) = gateway {
                object.insert("gateway".into(), json!(gateway));
            }
            if version < Version::V1_0_0 {
                object.insert(
                    "version".into(),
                    json!(if address.is_ipv4() { "4" } else { "6" }),
                );
            }
        }
        object
    }
}
