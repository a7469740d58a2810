//! Answers checked against the CNI specification, whose shapes are in `tests/schemas/`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use e2e::plugin::{Call, Reply};
use jsonschema::Validator;
use serde_json::Value;

/// The versions of the specification that `berth` speaks.
pub(crate) const VERSIONS: [&str; 4] = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// The shapes, by the name of what they describe.
static SHAPES: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    let texts = [
        (
            "result 0.3.1",
            include_str!("../../schemas/result-0.3.1.json"),
        ),
        (
            "result 0.4.0",
            include_str!("../../schemas/result-0.4.0.json"),
        ),
        (
            "result 1.0.0",
            include_str!("../../schemas/result-1.0.0.json"),
        ),
        (
            "result 1.1.0",
            include_str!("../../schemas/result-1.1.0.json"),
        ),
        ("error", include_str!("../../schemas/error.json")),
        ("version", include_str!("../../schemas/version.json")),
    ];
    let compile = |text| {
        let schema = serde_json::from_str(text).expect("a schema is JSON");
        jsonschema::validator_for(&schema).expect("a schema is valid")
    };
    texts
        .into_iter()
        .map(|(name, text)| (name, compile(text)))
        .collect()
});

/// What the call's verb allows on stdout: one object of the right shape, or nothing at all.
///
/// A killed plugin has nothing to say.
#[track_caller]
pub(crate) fn assert_reply(call: &Call<'_>, reply: &Reply) {
    match (reply.status.code(), call.command) {
        (None, _) => {}
        (Some(0), "ADD") => assert_result(&reply.json),
        (Some(0), "VERSION") => assert_shape("version", &reply.json),
        (Some(0), _) => assert_eq!(reply.stdout, "", "{} prints nothing", call.command),
        (Some(_), _) => assert_error(reply),
    }
}

/// Case 35: a delegated plugin's result has no interfaces, and its addresses name none. With one
/// it would be a result like any other.
#[track_caller]
pub(crate) fn assert_delegated(call: &Call<'_>, reply: &Reply) {
    if call.command != "ADD" || !reply.status.success() {
        return assert_reply(call, reply);
    }
    let mut result = reply.json.clone();
    assert!(result.get("interfaces").is_none(), "{result:#}");
    let ips = result.get("ips").and_then(Value::as_array);
    let mut ips = ips.into_iter().flatten();
    let nameless = ips.all(|ip| ip.get("interface").is_none());
    assert!(nameless, "{result:#}");
    let interface =
        serde_json::json!([{"name": "eth0", "mac": "0a:58:0a:14:01:11", "sandbox": ""}]);
    if let Some(result) = result.as_object_mut() {
        result.insert("interfaces".to_owned(), interface);
    }
    assert_result(&result);
}

/// A result of the version that it names.
#[track_caller]
pub(crate) fn assert_result(result: &Value) {
    let version = result
        .get("cniVersion")
        .and_then(Value::as_str)
        .unwrap_or("1.1.0");
    assert_shape(&format!("result {version}"), result);
}

/// An error object and nothing else on stdout.
#[track_caller]
pub(crate) fn assert_error(reply: &Reply) {
    assert!(
        !reply.json.is_null(),
        "one JSON object on stdout: {reply:#?}"
    );
    assert_shape("error", &reply.json);
}

#[track_caller]
fn assert_shape(name: &str, value: &Value) {
    let shape = SHAPES
        .get(name)
        .unwrap_or_else(|| panic!("no shape of {name}"));
    let wrong: Vec<_> = shape
        .iter_errors(value)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "not a {name}: {wrong:#?}\n{value:#}");
}

#[test]
fn the_shapes_tell_the_versions_apart() {
    let old = serde_json::json!({
        "cniVersion": "0.3.1",
        "interfaces": [{"name": "eth0", "mac": "0a:58:0a:14:01:11", "sandbox": "/run/netns/a"}],
        "ips": [{"version": "4", "address": "10.20.1.17/24", "interface": 0}],
    });
    assert_result(&old);
    for version in ["1.0.0", "1.1.0"] {
        assert!(
            !SHAPES
                .get(&*format!("result {version}"))
                .unwrap()
                .is_valid(&old),
            "{version}"
        );
    }
    let shape = SHAPES.get("error").unwrap();
    assert!(!shape.is_valid(&serde_json::json!({"cniVersion": "1.0.0", "code": 0, "msg": "x"})));
    assert!(!shape.is_valid(&serde_json::json!({"cniVersion": "1.0.0", "code": 7})));
}
