//! `ipam`: the pools, and the store that knows who holds which address; or another plugin's name.

use std::fmt;
use std::str::FromStr;

use berth_store::StoreConfig;
use berth_types::PoolName;
use serde_json::Value;

use super::fields::Fields;
use crate::spec::{CniError, Code};

/// Where addresses come from.
#[derive(Clone, Debug)]
pub enum IpamConfig {
    /// Berth's own IPAM, in this process.
    Own(OwnIpam),
    /// Another plugin, which is called (`ipam.type`).
    Other(OtherIpam),
}

/// Berth's own IPAM.
#[derive(Clone, Debug)]
pub struct OwnIpam {
    /// The pools, tried in this order, unless the pod's annotation names others; may be empty.
    pub pools: Vec<PoolName>,
    /// The store.
    pub store: StoreConfig,
}

/// Another plugin. All of its section but the name is its own.
#[derive(Clone, Debug)]
pub struct OtherIpam {
    /// Which plugin.
    pub plugin: PluginName,
    /// The whole section, as it is written down for DEL.
    pub section: Value,
}

/// The name of a plugin, which is that of its program as well: no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginName(String);

impl PluginName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PluginName {
    type Err = ();

    fn from_str(raw: &str) -> Result<Self, ()> {
        let fits = !matches!(raw, "" | "." | "..") && raw.len() <= 255;
        let clean = !raw.contains(|c: char| matches!(c, '/' | '\\') || c.is_control());
        (fits && clean).then(|| Self(raw.to_owned())).ok_or(())
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The program that this IPAM is to other main plugins.
const OWN: &str = "berth-ipam";

/// The remedy for a malformed pool name.
pub(crate) const POOL_NAME: &str = "use a pool's name: up to 63 of a-z, 0-9 and '-'";

const EXAMPLE_IPAM: &str = r#"write {"pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"}} or {"pool": "prod", "store": {"etcd": {"endpoints": ["https://10.0.0.1:2379"]}}}"#;

impl IpamConfig {
    /// Reads the section `ours` of a main plugin.
    pub(super) fn parse(ours: &Fields<'_>) -> Result<Self, CniError> {
        match ours.text("type")? {
            None | Some(OWN) => OwnIpam::parse(ours, &["type", "pool", "store"]).map(Self::Own),
            Some(other) => OtherIpam::parse(ours, other).map(Self::Other),
        }
    }

    /// Berth's own IPAM.
    ///
    /// # Errors
    /// Code 7 where another plugin gives the addresses.
    pub fn own(&self) -> Result<&OwnIpam, CniError> {
        match self {
            Self::Own(own) => Ok(own),
            Self::Other(OtherIpam { plugin, .. }) => {
                let remedy = "what Berth itself gave can only be given back with its store in the configuration";
                Err(CniError::field(
                    "ipam.type",
                    format!("{:?}", plugin.as_str()),
                    remedy,
                ))
            }
        }
    }
}

impl OtherIpam {
    fn parse(section: &Fields<'_>, name: &str) -> Result<Self, CniError> {
        let wrong = |remedy| Err(section.wrong("type", remedy));
        match name {
            "berth" => wrong("leave it out: berth gives addresses itself"),
            // It speaks from the interface, and under its final hardware address.
            "dhcp" => wrong(
                "use another: that plugin needs an interface that is up before it has an address",
            ),
            _ => match name.parse() {
                Ok(plugin) => Ok(Self {
                    plugin,
                    section: Value::Object(section.object.clone()),
                }),
                Err(()) => wrong("name a plugin that is in CNI_PATH, without a path"),
            },
        }
    }
}

impl OwnIpam {
    /// Reads the section `ours`, which has no fields but `known`.
    pub(super) fn parse(ours: &Fields<'_>, known: &[&str]) -> Result<Self, CniError> {
        if let Some(kind) = ours.text("type")?.filter(|kind| *kind != OWN) {
            let remedy = "name this plugin: berth-ipam";
            return Err(CniError::field("ipam.type", format!("{kind:?}"), remedy));
        }
        let mut given = ours.object.iter();
        if let Some((key, value)) = given.find(|(key, _)| !known.contains(&key.as_str())) {
            let message = format!("ipam.{key}: {value} is not a field of this plugin");
            return Err(
                CniError::new(Code::UnsupportedField, message).details(format!(
                    "remove it, or correct its spelling: {}",
                    known.join(", ")
                )),
            );
        }
        let store: StoreConfig = ours
            .section("store", EXAMPLE_IPAM)?
            .ok_or_else(|| CniError::field("ipam.store", "null", EXAMPLE_IPAM))?;
        store.validate().map_err(|error| {
            CniError::new(Code::InvalidConfig, format!("ipam.{error}")).details(EXAMPLE_IPAM)
        })?;
        let pools = pools(ours)?;
        Ok(Self { pools, store })
    }
}

/// The section itself.
pub(super) fn section<'a>(fields: &Fields<'a>) -> Result<Fields<'a>, CniError> {
    match fields.object.get("ipam") {
        Some(Value::Object(ipam)) => Ok(Fields {
            object: ipam,
            prefix: "ipam.",
        }),
        _ => Err(CniError::field("ipam", fields.shown("ipam"), EXAMPLE_IPAM)),
    }
}

/// One pool as a text or several as a list, each once; an empty text is as good as none.
fn pools(ours: &Fields<'_>) -> Result<Vec<PoolName>, CniError> {
    let Some(Value::Array(several)) = ours.present("pool") else {
        let one = ours.parsed("pool", POOL_NAME, |raw| raw.parse().ok())?;
        return Ok(one.into_iter().collect());
    };
    let remedy = "name a pool, or a list of pools that are tried in order";
    let mut pools = Vec::new();
    for value in several {
        let name = value.as_str().and_then(|raw| raw.parse().ok());
        let pool = name.ok_or_else(|| ours.wrong("pool", POOL_NAME))?;
        if !pools.contains(&pool) {
            pools.push(pool);
        }
    }
    if pools.is_empty() {
        return Err(ours.wrong("pool", remedy));
    }
    Ok(pools)
}
