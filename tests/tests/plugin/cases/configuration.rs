//! What the configuration may say wrongly, and what it may say that is not for us: cases 7 to 10,
//! 12 to 15.

use std::fs::File;

use e2e::plugin::{Call, CniError};
use serde_json::{Value, json};

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE, ip};

#[test]
fn case_07_what_is_no_object_is_code_6() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let whole = container.config.to_string();
    let truncated = whole.get(..whole.len() - 1).expect("a prefix");
    let doubled = format!("{whole}{whole}");
    for stdin in [
        "", " ", "{", "[]", "null", "7", "nonsense", truncated, &doubled, "\u{0}",
    ] {
        for verb in ["ADD", "DEL", "CHECK", "STATUS"] {
            let call = Call {
                stdin: stdin.into(),
                ..container.call_of(verb)
            };
            let error = container.answer(&call).failure();
            assert_names(&error, 6, &["stdin"]);
        }
    }
    let not_utf8 = Call {
        stdin: vec![b'{', 0xff],
        ..container.call_of("ADD")
    };
    assert_eq!(container.answer(&not_utf8).failure().code, 6);
    ground.assert_clean("input that does not parse");
}

#[test]
fn case_07_what_cannot_be_read_is_code_5() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let mut command = ground.node().command(&ground.plugin.bin);
    ground
        .plugin
        .set_environment(&mut command, &container.call_of("ADD"));
    // Reading a folder is an error.
    let ran = command
        .stdin(File::open("/").expect("open /"))
        .output()
        .expect("start the plugin");
    let error: Value = serde_json::from_slice(&ran.stdout).expect("an error object");
    assert_eq!(
        (ran.status.success(), &error["code"]),
        (false, &json!(5)),
        "{error}"
    );
    assert!(error["msg"].as_str().unwrap().contains("stdin"), "{error}");
    ground.assert_clean("input that cannot be read");
}

/// ADD with one value changed has to fail with code 7, naming the field and the value.
#[track_caller]
fn refused(ground: &Ground, pointer: &str, value: &Value) -> CniError {
    let container = ground.container("a").with(pointer, value.clone());
    let field = pointer.trim_start_matches('/').replace('/', ".");
    container.refused(7, &[&field, &value.to_string()])
}

#[test]
fn case_08_a_network_needs_a_legal_name() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for name in [
        json!(null),
        json!("a/b"),
        json!("-a"),
        json!("a b"),
        json!(7),
        json!("ä"),
    ] {
        refused(&ground, "/name", &name);
    }
    let container = ground.container("a").with("/name", json!(""));
    container.refused(7, &["name"]);
}

#[test]
fn wrong_values_are_code_7_and_name_field_and_value() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let cases = [
        ("/master", json!("sixteen-bytes-xx")),
        ("/master", json!([])),
        ("/master", json!(7)),
        ("/mode", json!("bogus")),
        ("/mode", json!(1)),
        ("/driver", json!("ipvlan")),
        ("/announce", json!("yes")),
        ("/runDir", json!("run")),
        ("/stateDir", json!("./state")),
        ("/node", json!("a/b")),
        ("/vlan", json!(0)),
        ("/vlan", json!(4095)),
        ("/vlan", json!("120")),
        ("/hostAccess", json!("yes")),
        ("/serviceCidrs", json!(["10.96.0.0/12"])),
        ("/gatewayCheck", json!("yes")),
        ("/acceptRa", json!(1)),
        ("/conflictCheck", json!("sometimes")),
        ("/ipam/type", json!("dhcp")),
        ("/ipam/type", json!("../berth")),
        ("/ipam/pool", json!("A/B")),
        ("/ipam", json!("pool")),
    ];
    for (pointer, value) in cases {
        refused(&ground, pointer, &value);
    }
    let stores = [
        json!(null),
        json!({"redis": "x"}),
        json!({"embedded": "relative"}),
        json!({"etcd": {"endpoints": []}}),
        json!({"etcd": {"endpoints": ["10.0.0.1"]}}),
        json!({"etcd": {"endpoints": ["http://10.0.0.1:2379"], "cert": "/x"}}),
        json!({"etcd": {"endpoints": ["http://10.0.0.1:2379"], "timeoutMs": 1}}),
    ];
    for store in stores {
        let container = ground.container("a").with("/ipam/store", store);
        container.refused(7, &["ipam.store"]);
    }
    let container = ground.container("a").with("/ipam/pool", json!(null));
    container.refused(7, &["ipam.pool"]);
    let container = ground.container("a").with("/ipam/pool", json!("nowhere"));
    container.refused(7, &["nowhere"]);
}

#[test]
fn case_09_an_unknown_version_is_code_1_and_lists_the_known() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for version in ["9.9.9", "0.1.0", "0.2.0", "0.3.0", "1.1", "1"] {
        let container = ground.container("a").with("/cniVersion", json!(version));
        let error = container.refused(1, &[&format!("{version:?}")]);
        for known in ["0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
            assert!(error.details.contains(known), "{error:?}");
        }
    }
}

#[test]
fn case_10_a_verb_that_came_later_is_code_1() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for (verb, version, since) in [
        ("CHECK", "0.3.1", "0.4.0"),
        ("STATUS", "0.3.1", "1.1.0"),
        ("STATUS", "0.4.0", "1.1.0"),
        ("STATUS", "1.0.0", "1.1.0"),
        ("GC", "0.3.1", "1.1.0"),
        ("GC", "0.4.0", "1.1.0"),
        ("GC", "1.0.0", "1.1.0"),
    ] {
        let container = ground.container("a").with("/cniVersion", json!(version));
        let error = container.answer(&container.call_of(verb)).failure();
        assert_names(&error, 1, &[verb, version, since]);
    }
}

#[test]
fn case_12_an_unknown_field_is_refused_in_our_section_only() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let outside = ground.container("a").with("/nonsense", json!({"x": 1}));
    outside.add().success();
    outside.del().success();
    let inside = ground.container("a").with("/ipam/pol", json!("prod"));
    inside.refused(2, &["ipam.pol", "\"prod\""]);
}

#[test]
fn case_13_what_others_add_is_no_error() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let others = [
        (
            "/args",
            json!({"cni": {"labels": [{"key": "a", "value": "b"}]}, "other": true}),
        ),
        ("/args", json!(null)),
        (
            "/runtimeConfig",
            json!({"portMappings": [{"hostPort": 80}], "bandwidth": {}, "x": 1}),
        ),
        ("/runtimeConfig", json!(null)),
        // What containerd sends for a pod without annotations.
        (
            "/runtimeConfig",
            json!({"io.kubernetes.cri.pod-annotations": null}),
        ),
        ("/runtimeConfig", json!({"ips": null, "mac": null})),
        (
            "/cni.dev~1valid-attachments",
            json!([{"containerID": "x", "ifname": "eth0"}]),
        ),
        ("/cni.dev~1attachments", json!([])),
        ("/capabilities", json!({"ips": true, "unknown": true})),
        (
            "/dns",
            json!({"nameservers": ["10.0.0.53"], "search": ["example.org"]}),
        ),
        ("/disableCheck", json!(true)),
        ("/cniVersions", json!(["1.0.0", "1.1.0"])),
    ];
    for (pointer, value) in others {
        let container = ground.container("a").with(pointer, value.clone());
        container.add().success();
        container.del().success();
        ground.assert_clean(&format!("{pointer} {value}"));
    }
}

#[test]
fn case_14_unknown_arguments_are_skipped_in_any_order() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for args in [
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=x;K8S_POD_UID=u",
        "K8S_POD_UID=u;X=1;K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=shop",
        ";;K8S_POD_NAME=web-0;;K8S_POD_NAMESPACE=shop;A=b=c;",
    ] {
        let container = ground.container("a");
        container.add_with_args(args).success();
        let listed = ground.cnictl(&["ip", "list", "--namespace", "shop", "-o", "json"]);
        assert!(listed.contains("web-0"), "{args}: {listed}");
        container.del().success();
    }
    let container = ground.container("a");
    let error = container.add_with_args("nonsense").failure();
    assert_names(&error, 4, &["CNI_ARGS", "nonsense"]);
    ground.assert_clean("arguments");
}

#[test]
fn case_15_args_win_over_cni_args() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground
        .container("a")
        .with("/args", json!({"cni": {"ips": ["10.20.1.40"]}}));
    let reply = container.add_with_args("IP=10.20.1.41");
    assert_eq!(reply.address(), ip("10.20.1.40"));
    container.assert_connected(ip("10.20.1.40"));
}
