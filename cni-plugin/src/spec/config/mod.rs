//! The network configuration on stdin: parsed once, every field checked.

mod fields;
mod gc;
mod ipam;
mod link;
mod misspelt;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use berth_types::{NetworkName, NodeName};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{CniError, Code, Dns, Version};
use fields::Fields;
pub(super) use fields::null_is_empty;
pub use gc::{GcFields, ValidAttachments};
pub(crate) use ipam::POOL_NAME;
pub use ipam::{IpamConfig, OtherIpam, OwnIpam, PluginName};

pub use link::{ConflictCheck, Driver, HostAccess, LinkConfig, MacvlanConfig, Mode, OvsConfig};
pub use misspelt::Misspelt;

/// What every program here reads of a network configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The specification's version it is written in.
    pub version: Version,
    /// The network's name.
    pub name: NetworkName,
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
    /// What the runtime adds for GC.
    pub gc: GcFields,
    /// All of it, as it came: what another IPAM plugin is called with.
    pub stdin: Vec<u8>,
}

/// A network configuration that `berth` can serve, which makes the interface itself.
#[derive(Clone, Debug)]
pub struct MainConfig {
    /// What it has in common with a delegated plugin's.
    pub common: Config,
    /// How the interface is made.
    pub link: LinkConfig,
    /// Fields that do nothing, and seem to be meant to.
    pub misspelt: Vec<Misspelt>,
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
    /// Limits on the traffic, as the runtime wrote them.
    pub bandwidth: Option<Value>,
    /// The pod's annotations.
    #[serde(
        rename = "io.kubernetes.cri.pod-annotations",
        deserialize_with = "null_is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl MainConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Code 6 for what is no JSON object, 1 for a version that is not spoken, 2 for an unknown
    /// field in `ipam`, 7 for a value that cannot work.
    pub fn parse(stdin: &[u8]) -> Result<Self, CniError> {
        let object = object(stdin)?;
        let fields = Fields {
            object: &object,
            prefix: "",
        };
        let version = version(&fields)?;
        let link = LinkConfig::parse(&fields)?;
        let ipam = IpamConfig::parse(&ipam::section(&fields)?)?;
        let common = Config::read(version, &fields, &fields, ipam)?;
        let stdin = stdin.to_owned();
        let common = Config { stdin, ..common };
        let misspelt = misspelt::misspelt(&object);
        Ok(Self {
            common,
            link,
            misspelt,
        })
    }
}

impl Config {
    /// Reads a configuration for the delegated plugin, whose own fields are all in `ipam`: the
    /// others are the main plugin's.
    ///
    /// # Errors
    /// As [`MainConfig::parse`].
    pub fn parse_delegated(stdin: &[u8]) -> Result<Self, CniError> {
        let object = object(stdin)?;
        let fields = Fields {
            object: &object,
            prefix: "",
        };
        let version = version(&fields)?;
        let own = ipam::section(&fields)?;
        let known = ["type", "pool", "store", "runDir", "stateDir", "node"];
        let ipam = OwnIpam::parse(&own, &known).map(IpamConfig::Own)?;
        Self::read(version, &fields, &own, ipam)
    }

    /// `own` is where this program's own fields are.
    fn read(
        version: Version,
        fields: &Fields<'_>,
        own: &Fields<'_>,
        ipam: IpamConfig,
    ) -> Result<Self, CniError> {
        let directory = |name, default: &str| {
            own.parsed(name, "give an absolute path", absolute)
                .map(|path| path.unwrap_or_else(|| PathBuf::from(default)))
        };
        let name_rule = "name the network: letters, digits, '_', '.' and '-'";
        let node_rule = "use letters, digits, '_', '.' and '-'";
        Ok(Self {
            version,
            name: fields.required("name", name_rule)?,
            node: own.parsed("node", node_rule, |raw| raw.parse().ok())?,
            run_dir: directory("runDir", "/run/berth")?,
            state_dir: directory("stateDir", "/var/lib/berth")?,
            ipam,
            runtime: fields
                .section("runtimeConfig", RUNTIME_CONFIG)?
                .unwrap_or_default(),
            args_ips: args_ips(fields)?,
            dns: fields.section("dns", DNS)?.unwrap_or_default(),
            prev_result: fields.present("prevResult").cloned(),
            gc: GcFields::of(fields),
            stdin: Vec::new(),
        })
    }
}

fn object(stdin: &[u8]) -> Result<Map<String, Value>, CniError> {
    serde_json::from_slice(stdin).map_err(|error| {
        let message = format!("network configuration on stdin: {error}");
        CniError::new(Code::Decode, message)
            .details("pass one JSON object, as in the CNI specification")
    })
}

/// The Go library takes a configuration without a version for one of 0.1.0.
fn version(fields: &Fields<'_>) -> Result<Version, CniError> {
    fields.text("cniVersion")?.unwrap_or_default().parse()
}

const RUNTIME_CONFIG: &str =
    "the runtime has to send ips as a list of texts, mac as a text, annotations as texts by name";

const DNS: &str =
    "write nameservers, search and options as lists of texts, domain as a text, or leave it out";

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
