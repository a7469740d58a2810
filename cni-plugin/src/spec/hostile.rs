//! Input that nobody should send: every parser answers, none panics, and every answer is an error
//! object or a value.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Any JSON, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[0-9a-f.:/]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-zA-Z]{0,8}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

/// A configuration with one field, at any depth, replaced.
fn almost_right() -> impl Strategy<Value = Value> {
    const PLACES: [&str; 22] = [
        "/cniVersion",
        "/name",
        "/driver",
        "/master",
        "/mode",
        "/mtu",
        "/announce",
        "/node",
        "/runDir",
        "/stateDir",
        "/ipam",
        "/ipam/pool",
        "/ipam/store",
        "/ipam/store/etcd",
        "/ipam/store/etcd/endpoints",
        "/ipam/store/etcd/timeoutMs",
        "/runtimeConfig",
        "/runtimeConfig/ips",
        "/args",
        "/args/cni",
        "/dns",
        "/prevResult",
    ];
    (proptest::sample::select(PLACES.to_vec()), any_json()).prop_map(|(place, value)| {
        let mut config = json!({
            "cniVersion": "1.1.0", "name": "pods", "driver": "macvlan", "master": ["uplink0"],
            "mode": "bridge", "mtu": 1500, "announce": true, "node": "n1", "runDir": "/run/berth",
            "stateDir": "/var/lib/berth", "dns": {}, "prevResult": null,
            "ipam": {"pool": "prod", "store": {"etcd": {
                "endpoints": ["http://10.0.0.1:2379"], "timeoutMs": 1000,
            }}},
            "runtimeConfig": {"ips": []}, "args": {"cni": {}},
        });
        if let Some(field) = config.pointer_mut(place) {
            *field = value;
        }
        config
    })
}

proptest! {
    #[test]
    fn any_bytes_as_a_configuration_get_an_answer(bytes: Vec<u8>) {
        let version = written_version(&bytes);
        if let Err(error) = MainConfig::parse(&bytes) {
            let object: Value = serde_json::from_str(&error.to_json(version)).unwrap();
            prop_assert!(object["code"].is_u64() && object["msg"].is_string());
        }
    }

    #[test]
    fn a_configuration_with_one_wrong_field_gets_an_answer(config in almost_right()) {
        if let Err(error) = MainConfig::parse(config.to_string().as_bytes()) {
            let object: Value = serde_json::from_str(&error.to_json(Version::V1_1_0)).unwrap();
            prop_assert!(!object["msg"].as_str().unwrap().is_empty());
            prop_assert!(!object["details"].as_str().unwrap().is_empty(), "{}", object);
        }
        if let Err(error) = Config::parse_delegated(config.to_string().as_bytes()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_environment_gets_an_answer(values in proptest::collection::vec(".{0,40}", 5)) {
        let names = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"];
        for verb in ["ADD", "DEL", "CHECK", "STATUS", "VERSION", values[4].as_str()] {
            let parsed = Invocation::parse(|asked| {
                let known = names.iter().position(|name| *name == asked);
                known.map(|n| values[n].clone()).or_else(|| (asked == "CNI_COMMAND").then(|| verb.to_owned()))
            });
            if let Err(error) = parsed {
                prop_assert_eq!(error.code(), Code::InvalidEnvironment);
            }
        }
    }

    #[test]
    fn any_arguments_get_an_answer(raw in ".{0,200}") {
        drop(CniArgs::parse(&raw));
    }
}
