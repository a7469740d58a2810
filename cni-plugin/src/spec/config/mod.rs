//! The network configuration on stdin: parsed once, every field checked.

mod fields;
mod later;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use berth_store::StoreConfig;
use berth_types::{IfName, NetworkName, NodeName, PoolName};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{CniError, Code, Dns, Version};
use fields::Fields;
pub(super) use fields::null_is_empty;

/// A network configuration this release can serve.
#[derive(Clone, Debug)]
pub struct Config {
    /// The specification's version it is written in.
    pub version: Version,
    /// The network's name.
    pub name: NetworkName,
    /// Candidates for the parent interface; the first that exists is used.
    pub master: Vec<IfName>,
    /// How the children of one parent see each other.
    pub mode: Mode,
    /// The interface's MTU in bytes; the parent's when absent.
    pub mtu: Option<u32>,
    /// Whether neighbours are told of the address at once.
    pub announce: bool,
    /// The node's name; the host's when absent.
    pub node: Option<NodeName>,
    /// Files that need not survive a reboot.
    pub run_dir: PathBuf,
    /// Files that must.
    pub state_dir: PathBuf,
    /// Where addresses come from.
    pub ipam: IpamConfig,
    /// What the runtime adds for this call.
    pub runtime: RuntimeConfig,
    /// `args.cni.ips`: addresses asked for.
    pub args_ips: Vec<String>,
    /// Passed through to the result.
    pub dns: Dns,
    /// The result of the ADD, for CHECK; of another plugin, when ADD has one.
    pub prev_result: Option<Value>,
}

/// `mode` of a macvlan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Children reach each other through the parent.
    Bridge,
    /// Children never reach each other.
    Private,
    /// Children reach each other through the switch, if it reflects.
    Vepa,
    /// One child has the parent for itself, with its hardware address.
    Passthru,
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(raw: &str) -> Result<Self, ()> {
        match raw {
            "bridge" => Ok(Self::Bridge),
            "private" => Ok(Self::Private),
            "vepa" => Ok(Self::Vepa),
            "passthru" => Ok(Self::Passthru),
            _ => Err(()),
        }
    }
}

/// `ipam`: the pool, and the store that knows who holds which address.
#[derive(Clone, Debug)]
pub struct IpamConfig {
    /// The pool, unless the pod's annotation names another.
    pub pool: Option<PoolName>,
    /// The store.
    pub store: StoreConfig,
}

/// `runtimeConfig`: what capabilities bring. Unknown ones are others' business; `null` is nothing,
/// as containerd sends it for a pod without annotations.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RuntimeConfig {
    /// Addresses asked for.
    #[serde(deserialize_with = "null_is_empty")]
    pub ips: Vec<String>,
    /// The hardware address asked for.
    pub mac: Option<String>,
    /// Limits on the traffic, which this release does not set.
    pub bandwidth: Option<Value>,
    /// The pod's annotations.
    #[serde(
        rename = "io.kubernetes.cri.pod-annotations",
        deserialize_with = "null_is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Code 6 for what is no JSON object, 1 for a version that is not spoken, 2 for an unknown
    /// field in `ipam`, 7 for a value that cannot work.
    pub fn parse(stdin: &[u8]) -> Result<Self, CniError> {
        Self::read(stdin, later::refuse)
    }

    /// Reads a configuration for DEL, which has no use for fields that a later release serves: a
    /// configuration that gained one must not keep containers from ending.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse_for_del(stdin: &[u8]) -> Result<Self, CniError> {
        Self::read(stdin, |_| Ok(()))
    }

    fn read(
        stdin: &[u8],
        refuse_later: fn(&Fields<'_>) -> Result<(), CniError>,
    ) -> Result<Self, CniError> {
        let object: Map<String, Value> = serde_json::from_slice(stdin).map_err(|error| {
            CniError::new(
                Code::Decode,
                format!("network configuration on stdin: {error}"),
            )
            .details("pass one JSON object, as in the CNI specification")
        })?;
        let fields = Fields {
            object: &object,
            prefix: "",
        };
        // The Go library takes a configuration without a version for one of 0.1.0.
        let version = fields.text("cniVersion")?.unwrap_or_default().parse()?;
        refuse_later(&fields)?;
        let directory = |name, default: &str| {
            fields
                .parsed(name, "give an absolute path", absolute)
                .map(|path| path.unwrap_or_else(|| PathBuf::from(default)))
        };
        Ok(Self {
            version,
            name: fields.required(
                "name",
                "name the network: letters, digits, '_', '.' and '-'",
            )?,
            master: masters(&fields)?,
            mode: fields
                .parsed("mode", "use bridge, private, vepa or passthru", |raw| {
                    raw.parse().ok()
                })?
                .unwrap_or(Mode::Bridge),
            mtu: fields.mtu()?,
            announce: fields.flag("announce")?.unwrap_or(true),
            node: fields.parsed("node", "use letters, digits, '_', '.' and '-'", |r| {
                r.parse().ok()
            })?,
            run_dir: directory("runDir", "/run/berth")?,
            state_dir: directory("stateDir", "/var/lib/berth")?,
            ipam: IpamConfig::parse(&fields)?,
            runtime: fields
                .section("runtimeConfig", RUNTIME_CONFIG)?
                .unwrap_or_default(),
            args_ips: args_ips(&fields)?,
            dns: fields.section("dns", DNS)?.unwrap_or_default(),
            prev_result: object
                .get("prevResult")
                .filter(|value| !value.is_null())
                .cloned(),
        })
    }
}

impl IpamConfig {
    fn parse(fields: &Fields<'_>) -> Result<Self, CniError> {
        let Some(Value::Object(ipam)) = fields.object.get("ipam") else {
            return Err(CniError::field("ipam", fields.shown("ipam"), EXAMPLE_IPAM));
        };
        let ours = Fields {
            object: ipam,
            prefix: "ipam.",
        };
        if let Some(kind) = ours.text("type")?.filter(|kind| *kind != "berth-ipam") {
            let remedy = "leave it out: this release serves addresses itself";
            return Err(CniError::field("ipam.type", format!("{kind:?}"), remedy));
        }
        let known = ["type", "pool", "store"];
        if let Some((key, value)) = ipam.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            let message = format!("ipam.{key}: {value} is not a field of this plugin");
            return Err(CniError::new(Code::UnsupportedField, message)
                .details("remove it, or correct its spelling: type, pool, store"));
        }
        let pool = ours.parsed("pool", POOL_NAME, |raw| raw.parse().ok())?;
        let store: StoreConfig = ours
            .section("store", EXAMPLE_IPAM)?
            .ok_or_else(|| CniError::field("ipam.store", "null", EXAMPLE_IPAM))?;
        store.validate().map_err(|error| {
            CniError::new(Code::InvalidConfig, format!("ipam.{error}")).details(EXAMPLE_IPAM)
        })?;
        Ok(Self { pool, store })
    }
}

/// The remedy for a malformed pool name.
pub(crate) const POOL_NAME: &str = "use a pool's name: up to 63 of a-z, 0-9 and '-'";

const RUNTIME_CONFIG: &str =
    "the runtime has to send ips as a list of texts, mac as a text, annotations as texts by name";

const DNS: &str =
    "write nameservers, search and options as lists of texts, domain as a text, or leave it out";

const EXAMPLE_IPAM: &str = r#"write {"pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"}} or {"pool": "prod", "store": {"etcd": {"endpoints": ["https://10.0.0.1:2379"]}}}"#;

fn masters(fields: &Fields<'_>) -> Result<Vec<IfName>, CniError> {
    let wrong = || {
        let remedy = "name the node's interface on the LAN, or a list of which the first that exists is used";
        CniError::field("master", fields.shown("master"), remedy)
    };
    let names = match fields.object.get("master") {
        Some(Value::String(one)) => vec![Some(one.as_str())],
        Some(Value::Array(several)) => several.iter().map(Value::as_str).collect(),
        _ => return Err(wrong()),
    };
    let parsed = names
        .into_iter()
        .map(|name| name.and_then(|name| name.parse().ok()));
    let parsed: Vec<IfName> = parsed.collect::<Option<_>>().ok_or_else(wrong)?;
    if parsed.is_empty() {
        Err(wrong())
    } else {
        Ok(parsed)
    }
}

fn args_ips(fields: &Fields<'_>) -> Result<Vec<String>, CniError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Args {
        #[serde(deserialize_with = "null_is_empty")]
        cni: Cni,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Cni {
        #[serde(deserialize_with = "null_is_empty")]
        ips: Vec<String>,
    }
    let remedy = r#"write {"cni": {"ips": ["10.20.1.17"]}}, or leave it out"#;
    let args = fields.section::<Args>("args", remedy)?;
    Ok(args.unwrap_or_default().cni.ips)
}

fn absolute(raw: &str) -> Option<PathBuf> {
    Path::new(raw).is_absolute().then(|| PathBuf::from(raw))
}

#[cfg(test)]
mod tests;
