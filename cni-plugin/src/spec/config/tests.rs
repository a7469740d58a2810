use serde_json::json;

use super::*;

fn base() -> Value {
    json!({
        "cniVersion": "1.1.0", "name": "pods", "type": "berth", "master": "uplink0",
        "ipam": {"pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"}},
    })
}

fn parse(change: impl Fn(&mut Value)) -> Result<MainConfig, CniError> {
    let mut value = base();
    change(&mut value);
    MainConfig::parse(value.to_string().as_bytes())
}

#[test]
fn the_smallest_configuration_is_accepted() {
    let MainConfig {
        common: config,
        link,
        misspelt,
    } = parse(|_| {}).unwrap();
    assert_eq!(misspelt, []);
    let driver = Driver::Macvlan(MacvlanConfig {
        master: vec!["uplink0".parse().unwrap()],
        mode: Mode::Bridge,
    });
    assert_eq!(link.driver, driver);
    assert_eq!((link.mtu, link.announce), (None, true));
    assert_eq!(link.conflict_check, ConflictCheck::Takeover);
    assert!(!link.gateway_check && link.host_access.is_none());
    assert_eq!(config.run_dir, Path::new("/run/berth"));
}

#[test]
fn case_07_what_is_no_object_is_code_6() {
    for bad in ["", "{", "[]", "null", "nonsense", "{\"name\":\"x\""] {
        let error = MainConfig::parse(bad.as_bytes()).unwrap_err();
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
fn a_configuration_without_a_version_is_one_of_0_1_0_and_not_spoken() {
    for version in [Value::Null, json!("")] {
        let error = parse(|c| c["cniVersion"] = version.clone()).unwrap_err();
        assert_eq!(error.code(), Code::IncompatibleVersion, "case: {version}");
        assert!(error.to_string().contains("1.1.0"), "{error}");
    }
}

#[test]
fn name_servers_are_passed_on_and_nonsense_is_not() {
    let dns =
        json!({"nameservers": ["10.0.0.53"], "domain": "example.org", "search": null, "x": 1});
    let parsed = parse(|c| c["dns"] = dns.clone()).unwrap().common.dns;
    assert_eq!(parsed.nameservers, ["10.0.0.53"]);
    assert_eq!(parsed.domain.as_deref(), Some("example.org"));
    assert!(
        parse(|c| c["dns"] = Value::Null)
            .unwrap()
            .common
            .dns
            .is_empty()
    );
    let wrong = [
        json!(5),
        json!(["10.0.0.53"]),
        json!({"nameservers": "10.0.0.53"}),
        json!({"search": [1]}),
        json!({"domain": []}),
    ];
    for dns in wrong {
        let error = parse(|c| c["dns"] = dns.clone()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig, "case: {dns}");
        assert!(error.to_string().starts_with("dns: "), "{error}");
    }
}

#[test]
fn the_wire_is_asked_where_an_address_changes_hands_unless_configured() {
    let check =
        |value: Value| parse(|c| c["conflictCheck"] = value.clone()).map(|c| c.link.conflict_check);
    assert_eq!(check(Value::Null), Ok(ConflictCheck::Takeover));
    assert_eq!(check(json!("off")), Ok(ConflictCheck::Off));
    assert_eq!(check(json!("always")), Ok(ConflictCheck::Always));
    assert!(parse(|c| c["vlan"] = json!(false)).is_ok());
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
    let cases: [(&str, &str, Value); 28] = [
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
        ("driver unknown", "/driver", json!("bridge")),
        ("case 53: vlan 0", "/vlan", json!(0)),
        ("case 53: vlan negative", "/vlan", json!(-1)),
        ("case 53: vlan 4095", "/vlan", json!(4095)),
        ("services without", "/serviceCidrs", json!(["10.96.0.0/12"])),
        ("services", "/serviceCidrs", json!(["10.96.0.0/99"])),
        ("services on lo", "/serviceCidrs", json!(["127.0.0.0/8"])),
        ("services to many", "/serviceCidrs", json!(["224.0.0.0/4"])),
        ("services here", "/serviceCidrs", json!(["fe80::/10"])),
        (
            "services of old",
            "/serviceCidrs",
            json!(["::ffff:10.0.0.0/104"]),
        ),
        (
            "65 services",
            "/serviceCidrs",
            json!(vec!["10.96.0.0/12"; 65]),
        ),
        ("gateway", "/gatewayCheck", json!("yes")),
        ("arp", "/conflictCheck", json!("arp")),
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

#[test]
fn pools_are_a_name_or_a_list_in_which_each_counts_once() {
    let pools = |value: Value| {
        let parsed = parse(|c| c["ipam"]["pool"] = value.clone());
        let names = |config: MainConfig| {
            let pools = config.common.ipam.own().unwrap().pools.clone();
            pools.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        parsed.map(names)
    };
    assert_eq!(pools(json!("prod")).unwrap(), ["prod"]);
    assert_eq!(pools(json!(["b", "a", "b"])).unwrap(), ["b", "a"]);
    for none in [Value::Null, json!("")] {
        assert_eq!(pools(none).unwrap(), [""; 0]);
    }
    let long = "p".repeat(300);
    for wrong in [
        json!([]),
        json!(["a", 1]),
        json!(["a", "b/c"]),
        json!({}),
        json!([long]),
    ] {
        let error = pools(wrong.clone()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig, "case: {wrong}");
        assert!(error.to_string().contains("ipam.pool"), "{error}");
    }
}

#[test]
fn a_delegated_plugin_reads_its_own_fields_in_ipam_and_passes_over_the_main_plugins() {
    let config = json!({
        "cniVersion": "1.0.0", "name": "pods", "type": "bridge", "bridge": "cni0", "vlan": 7,
        "mtu": "nonsense", "runDir": "relative", "driver": "x", "dns": {"nameservers": ["10.0.0.53"]},
        "ipam": {
            "type": "berth-ipam", "pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"},
            "runDir": "/run/x", "stateDir": "/var/x", "node": "n7",
        },
    });
    let config = Config::parse_delegated(config.to_string().as_bytes()).unwrap();
    assert_eq!(config.run_dir, Path::new("/run/x"));
    assert_eq!(config.state_dir, Path::new("/var/x"));
    assert_eq!(config.node.unwrap().as_str(), "n7");
    assert_eq!(config.dns.nameservers, ["10.0.0.53"]);
    for (key, value) in [
        ("runDir", json!("x")),
        ("node", json!("a/b")),
        ("pool", json!("A")),
    ] {
        let mut wrong = base();
        wrong["ipam"][key] = value;
        let error = Config::parse_delegated(wrong.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig, "case: {key}");
        assert!(
            error.to_string().contains(&format!("ipam.{key}")),
            "{error}"
        );
    }
    let mut unknown = base();
    unknown["ipam"]["subnet"] = json!("10.0.0.0/8");
    let error = Config::parse_delegated(unknown.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.code(), Code::UnsupportedField);
}

#[test]
fn another_ipam_plugin_is_named_and_its_section_is_its_own() {
    let ipam = json!({"type": "host-local", "pool": 5, "ranges": [[{"subnet": "10.0.0.0/24"}]]});
    let config = parse(|c| c["ipam"] = ipam.clone()).unwrap().common;
    assert_eq!(
        serde_json::from_slice::<Value>(&config.stdin).unwrap()["ipam"],
        ipam
    );
    assert!(config.ipam.own().is_err());
    let IpamConfig::Other(OtherIpam { plugin, section }) = config.ipam else {
        panic!("another plugin's");
    };
    assert_eq!((plugin.as_str(), section), ("host-local", ipam));
    assert!(parse(|c| c["ipam"]["type"] = json!("berth-ipam")).is_ok());
    for wrong in [
        "", ".", "..", "a/b", "../berth", "a\\b", "a\nb", "berth", "dhcp",
    ] {
        let error = parse(|c| c["ipam"]["type"] = json!(wrong)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig, "case: {wrong:?}");
        assert!(error.to_string().contains("ipam.type"), "{error}");
    }
    assert!(parse(|c| c["ipam"]["type"] = json!(5)).is_err());
}
