//! The network configuration on stdin: parsed once, every field checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use berth_store::StoreConfig;
use berth_types::{IfName, NetworkName, NodeName, PoolName};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{CniError, Code, Version};

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
    pub dns: Value,
    /// The result of the ADD, for CHECK.
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
    /// The pod's annotations.
    #[serde(
        rename = "io.kubernetes.cri.pod-annotations",
        deserialize_with = "null_is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

fn null_is_empty<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Code 6 for what is no JSON object, 1 for a version that is not spoken, 2 for an unknown
    /// field in `ipam`, 7 for a value that cannot work.
    pub fn parse(stdin: &[u8]) -> Result<Self, CniError> {
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
        let version = fields.text("cniVersion")?;
        let version = version.map_or(Ok(Version::default()), str::parse)?;
        refuse_later_features(&fields)?;
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
            runtime: fields.section("runtimeConfig")?.unwrap_or_default(),
            args_ips: args_ips(&fields)?,
            dns: object.get("dns").cloned().unwrap_or(Value::Null),
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
            .section("store")?
            .ok_or_else(|| CniError::field("ipam.store", "null", EXAMPLE_IPAM))?;
        store.validate().map_err(|error| {
            CniError::new(Code::InvalidConfig, format!("ipam.{error}")).details(EXAMPLE_IPAM)
        })?;
        Ok(Self { pool, store })
    }
}

/// The remedy for a malformed pool name.
pub(crate) const POOL_NAME: &str = "use a pool's name: up to 63 of a-z, 0-9 and '-'";

const EXAMPLE_IPAM: &str = r#"write {"pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"}} or {"pool": "prod", "store": {"etcd": {"endpoints": ["https://10.0.0.1:2379"]}}}"#;

/// Fields that a later release serves: refused rather than passed over in silence.
fn refuse_later_features(fields: &Fields<'_>) -> Result<(), CniError> {
    let set = |name: &'static str| {
        let value = fields.object.get(name)?;
        let off =
            matches!(value, Value::Null | Value::Bool(false)) || *value == Value::Array(vec![]);
        (!off).then_some(name)
    };
    let later = ["hostAccess", "serviceCidrs", "gatewayCheck", "vlan"]
        .into_iter()
        .find_map(set);
    if let Some(name) = later {
        return Err(CniError::field(
            name,
            fields.shown(name),
            "remove it: this release does not serve it",
        ));
    }
    let word = |name, accepted: &[&str], remedy| match fields.text(name)? {
        Some(raw) if !accepted.contains(&raw) => {
            Err(CniError::field(name, format!("{raw:?}"), remedy))
        }
        _ => Ok(()),
    };
    word(
        "driver",
        &["macvlan"],
        "use macvlan, the driver of this release",
    )?;
    word(
        "conflictCheck",
        &["off", "takeover"],
        "use off or takeover, the checks of this release",
    )
}

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
    Ok(fields.section::<Args>("args")?.unwrap_or_default().cni.ips)
}

fn absolute(raw: &str) -> Option<PathBuf> {
    Path::new(raw).is_absolute().then(|| PathBuf::from(raw))
}

/// Fields of an object, read with errors that name them.
struct Fields<'a> {
    object: &'a Map<String, Value>,
    prefix: &'static str,
}

impl Fields<'_> {
    fn present(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn shown(&self, name: &str) -> String {
        self.object
            .get(name)
            .map_or_else(|| "null".to_owned(), ToString::to_string)
    }

    fn wrong(&self, name: &str, remedy: &str) -> CniError {
        CniError::field(&format!("{}{name}", self.prefix), self.shown(name), remedy)
    }

    fn text(&self, name: &str) -> Result<Option<&str>, CniError> {
        let text = |value: &'_ Value| value.is_string();
        match self.present(name) {
            Some(value) if !text(value) => Err(self.wrong(name, "write a text in quotes")),
            value => Ok(value.and_then(Value::as_str)),
        }
    }

    fn parsed<T>(
        &self,
        name: &str,
        remedy: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, CniError> {
        let parse = |raw| parse(raw).ok_or_else(|| self.wrong(name, remedy));
        self.text(name)?
            .filter(|raw| !raw.is_empty())
            .map(parse)
            .transpose()
    }

    fn required<T: FromStr>(&self, name: &str, remedy: &str) -> Result<T, CniError> {
        self.parsed(name, remedy, |raw| raw.parse().ok())?
            .ok_or_else(|| self.wrong(name, remedy))
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, CniError> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(name, "write true or false")),
        }
    }

    /// 0 means the parent's, as in the reference plugins.
    fn mtu(&self) -> Result<Option<u32>, CniError> {
        let remedy = "use 68 to 65535 bytes and no more than the master's, or 0 for the master's";
        match self.present("mtu").map(Value::as_u64) {
            None | Some(Some(0)) => Ok(None),
            Some(Some(mtu)) if (68..=65535).contains(&mtu) => Ok(u32::try_from(mtu).ok()),
            Some(_) => Err(self.wrong("mtu", remedy)),
        }
    }

    fn section<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>, CniError> {
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        T::deserialize(value).map(Some).map_err(|error| {
            let message = format!("{}{name}: {error}", self.prefix);
            CniError::new(Code::InvalidConfig, message).details("correct the value named")
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base() -> Value {
        json!({
            "cniVersion": "1.1.0", "name": "pods", "type": "berth", "master": "uplink0",
            "ipam": {"pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"}},
        })
    }

    fn parse(change: impl Fn(&mut Value)) -> Result<Config, CniError> {
        let mut value = base();
        change(&mut value);
        Config::parse(value.to_string().as_bytes())
    }

    #[test]
    fn the_smallest_configuration_is_accepted() {
        let config = parse(|_| {}).unwrap();
        assert_eq!(
            (config.mode, config.mtu, config.announce),
            (Mode::Bridge, None, true)
        );
        assert_eq!(config.run_dir, Path::new("/run/berth"));
    }

    #[test]
    fn case_07_what_is_no_object_is_code_6() {
        for bad in ["", "{", "[]", "null", "nonsense", "{\"name\":\"x\""] {
            let error = Config::parse(bad.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::Decode, "case: {bad:?}");
        }
    }

    #[test]
    fn case_09_an_unknown_version_is_code_1_and_lists_the_known() {
        let error = parse(|c| c["cniVersion"] = json!("9.9.9")).unwrap_err();
        assert_eq!(error.code(), Code::IncompatibleVersion);
        for known in ["\"9.9.9\"", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
            assert!(error.to_string().contains(known), "{error}");
        }
    }

    #[test]
    fn case_12_an_unknown_field_is_accepted_outside_our_section_and_refused_within() {
        assert!(parse(|c| c["nonsense"] = json!(1)).is_ok());
        let error = parse(|c| c["ipam"]["pol"] = json!("x")).unwrap_err();
        assert_eq!(error.code(), Code::UnsupportedField);
        assert!(error.to_string().contains("ipam.pol") && error.to_string().contains("\"x\""));
    }

    #[test]
    fn case_13_what_others_add_is_no_error() {
        let config = parse(|c| {
            c["args"] = json!({"cni": {"labels": [1]}, "other": true});
            c["runtimeConfig"] = json!({
                "portMappings": [], "x": {}, "ips": null, "mac": null,
                "io.kubernetes.cri.pod-annotations": null,
            });
            c["cni.dev/valid-attachments"] = json!([]);
            c["cni.dev/attachments"] = json!([]);
        });
        assert!(config.is_ok(), "{config:?}");
    }

    #[test]
    fn wrong_values_are_code_7_and_name_field_and_value() {
        let cases: [(&str, &str, Value); 17] = [
            ("case 8: name missing", "/name", Value::Null),
            ("case 8: name illegal", "/name", json!("a/b")),
            ("case 50: master missing", "/master", Value::Null),
            ("master too long", "/master", json!("sixteen-bytes-xx")),
            ("master empty list", "/master", json!([])),
            ("case 51: mtu negative", "/mtu", json!(-1)),
            ("case 51: mtu tiny", "/mtu", json!(67)),
            ("case 51: mtu huge", "/mtu", json!(70000)),
            ("case 51: mtu text", "/mtu", json!("1500")),
            ("mode", "/mode", json!("bogus")),
            ("driver", "/driver", json!("ovs")),
            ("vlan", "/vlan", json!(120)),
            ("relative runDir", "/runDir", json!("run")),
            ("ipam missing", "/ipam", Value::Null),
            ("pool", "/ipam/pool", json!("A/B")),
            ("store", "/ipam/store", json!({"redis": "x"})),
            ("embedded", "/ipam/store", json!({"embedded": "relative"})),
        ];
        for (case, pointer, value) in cases {
            let set = |c: &mut Value| {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                c.pointer_mut(parent).unwrap()[key] = value.clone();
            };
            let error = parse(set).unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig, "case: {case}: {error}");
            let field = pointer.trim_start_matches('/').replace('/', ".");
            assert!(error.to_string().contains(&field), "case: {case}: {error}");
        }
    }
}
