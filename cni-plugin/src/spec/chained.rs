//! `prevResult` of an ADD: what the plugins before this one in the chain made, passed on.
//!
//! It is handled as it came, so that fields of which this program knows nothing stay.

use serde_json::{Map, Value, json};

use super::{CniError, CniResult, Code, Dns, Version};

/// The lists of a result that every plugin adds to.
const LISTS: [&str; 3] = ["interfaces", "ips", "routes"];

/// The result so far; empty for the first plugin of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chained(Map<String, Value>);

impl Chained {
    /// Reads `prevResult`.
    ///
    /// # Errors
    /// Code 7 for what is no result: it could not be passed on.
    pub fn parse(previous: Option<&Value>) -> Result<Self, CniError> {
        let Some(previous) = previous else {
            return Ok(Self::default());
        };
        let remedy = "the runtime has to send the result of the plugin before this one";
        let Value::Object(object) = previous else {
            return Err(CniError::field("prevResult", previous, remedy));
        };
        for name in LISTS {
            match object.get(name) {
                None | Some(Value::Null | Value::Array(_)) => {}
                Some(other) => {
                    return Err(CniError::field(
                        &format!("prevResult.{name}"),
                        other,
                        remedy,
                    ));
                }
            }
        }
        if let Some(dns) = object.get("dns").filter(|dns| !dns.is_null()) {
            serde_json::from_value::<Dns>(dns.clone()).map_err(|error| {
                CniError::new(Code::InvalidConfig, format!("prevResult.dns: {error}"))
                    .details(remedy)
            })?;
        }
        Ok(Self(object.clone()))
    }

    /// The result so far and `ours` behind it, as a configuration of `version` expects it.
    pub fn with(&self, ours: &CniResult, version: Version) -> String {
        let Self(previous) = self;
        if previous.is_empty() {
            return ours.to_json(version);
        }
        let mut ours = ours.clone();
        let before = list(previous, "interfaces").len();
        for ip in &mut ours.ips {
            ip.interface = ip.interface.map(|index| index.saturating_add(before));
        }
        let mut whole = previous.clone();
        for (name, value) in ours.to_object(version) {
            let merged = match name.as_str() {
                "interfaces" | "ips" | "routes" => {
                    let added = value.as_array().cloned().unwrap_or_default();
                    let mut both = list(previous, &name).to_vec();
                    for entry in &mut both {
                        dress(&name, entry, version);
                    }
                    both.extend(added);
                    json!(both)
                }
                "dns" => dns(previous.get("dns"), &ours.dns),
                _ => value,
            };
            whole.insert(name, merged);
        }
        format!("{:#}\n", Value::Object(whole))
    }
}

/// An address names its family up to 0.4.0, and no longer after that.
fn dress(list: &str, entry: &mut Value, version: Version) {
    let (true, Some(entry)) = (list == "ips", entry.as_object_mut()) else {
        return;
    };
    if version >= Version::V1_0_0 {
        entry.remove("version");
    } else if !entry.contains_key("version") {
        let address = entry.get("address").and_then(Value::as_str);
        let six = address.is_some_and(|address| address.contains(':'));
        entry.insert("version".into(), json!(if six { "6" } else { "4" }));
    }
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    let list = object.get(name).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// Name servers of both, those from before first; of two domains the one from before.
fn dns(previous: Option<&Value>, ours: &Dns) -> Value {
    let previous = previous.and_then(|dns| serde_json::from_value::<Dns>(dns.clone()).ok());
    let Dns {
        mut nameservers,
        domain,
        mut search,
        mut options,
    } = previous.unwrap_or_default();
    let lists = [
        (&mut nameservers, &ours.nameservers),
        (&mut search, &ours.search),
        (&mut options, &ours.options),
    ];
    for (known, more) in lists {
        for entry in more {
            if !known.contains(entry) {
                known.push(entry.clone());
            }
        }
    }
    json!(Dns {
        nameservers,
        domain: domain.or_else(|| ours.domain.clone()),
        search,
        options,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Interface, Ip, RouteEntry};

    fn ours() -> CniResult {
        CniResult {
            interfaces: vec![Interface {
                name: "eth0".into(),
                mac: "0a:58:0a:14:01:11".into(),
                mtu: 1500,
                sandbox: "/run/netns/a".into(),
            }],
            ips: vec![Ip {
                address: "10.20.1.17/24".parse().unwrap(),
                gateway: None,
                interface: Some(0),
            }],
            routes: vec![RouteEntry {
                dst: "0.0.0.0/0".parse().unwrap(),
                gw: None,
            }],
            dns: Dns::default(),
        }
    }

    fn with(previous: &Value, version: Version) -> Value {
        let chained = Chained::parse(Some(previous)).unwrap();
        serde_json::from_str(&chained.with(&ours(), version)).unwrap()
    }

    #[test]
    fn case_36_what_others_made_is_passed_on_with_this_ones_behind_it() {
        let previous = json!({
            "cniVersion": "1.1.0", "unknown": 1, "dns": {"nameservers": ["10.0.0.53"]},
            "interfaces": [{"name": "x0", "pciID": "a"}, {"name": "x1"}],
            "ips": [{"address": "10.9.0.2/24", "interface": 1}],
            "routes": [{"dst": "10.9.0.0/16", "mtu": 1400}],
        });
        let whole = with(&previous, Version::V1_1_0);
        for kept in [
            "/unknown",
            "/dns",
            "/interfaces/0",
            "/interfaces/1",
            "/ips/0",
            "/routes/0",
        ] {
            assert_eq!(whole.pointer(kept), previous.pointer(kept), "case: {kept}");
        }
        assert_eq!(whole["interfaces"][2]["name"], "eth0");
        assert_eq!(whole["ips"][1]["interface"], 2);
        assert_eq!(whole["routes"][1]["dst"], "0.0.0.0/0");
    }

    #[test]
    fn the_first_of_a_chain_and_one_behind_nothing_say_the_same() {
        let first = Chained::parse(None).unwrap().with(&ours(), Version::V1_0_0);
        let first: Value = serde_json::from_str(&first).unwrap();
        let nothing = json!({"ips": null, "interfaces": []});
        assert_eq!(with(&nothing, Version::V1_0_0), first);
    }

    #[test]
    fn addresses_are_told_as_the_version_wants_it() {
        let previous = json!({"ips": [{"address": "2001:db8::2/64"}]});
        let old = with(&previous, Version::V0_4_0);
        assert_eq!(old["ips"][0]["version"], "6");
        let previous = json!({"ips": [{"version": "4", "address": "10.9.0.2/24"}]});
        let new = with(&previous, Version::V1_0_0);
        assert_eq!(new["ips"][0].get("version"), None);
    }

    #[test]
    fn what_is_no_result_is_code_7() {
        for wrong in [json!(5), json!([]), json!({"ips": {}}), json!({"dns": 1})] {
            let error = Chained::parse(Some(&wrong)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig, "case: {wrong}");
            assert!(error.to_string().starts_with("prevResult"), "{error}");
        }
    }
}
