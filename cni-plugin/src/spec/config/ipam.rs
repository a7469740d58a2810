//! `ipam`: the pools, and the store that knows who holds which address.

use berth_store::StoreConfig;
use berth_types::PoolName;
use serde_json::Value;

use super::fields::Fields;
use crate::spec::{CniError, Code};

/// Where addresses come from.
#[derive(Clone, Debug)]
pub struct IpamConfig {
    /// The pools, tried in this order, unless the pod's annotation names others; may be empty.
    pub pools: Vec<PoolName>,
    /// The store.
    pub store: StoreConfig,
}

/// The remedy for a malformed pool name.
pub(crate) const POOL_NAME: &str = "use a pool's name: up to 63 of a-z, 0-9 and '-'";

const EXAMPLE_IPAM: &str = r#"write {"pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"}} or {"pool": "prod", "store": {"etcd": {"endpoints": ["https://10.0.0.1:2379"]}}}"#;

impl IpamConfig {
    /// Reads the section `ours`, which has no fields but `known`.
    pub(super) fn parse(ours: &Fields<'_>, known: &[&str]) -> Result<Self, CniError> {
        if let Some(kind) = ours.text("type")?.filter(|kind| *kind != "berth-ipam") {
            let remedy = "leave it out: this release serves addresses itself";
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
