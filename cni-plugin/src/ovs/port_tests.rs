//! What Open vSwitch 3.1 answered, as it answered it.

use berth_types::{AttachmentId, Incarnation, LocalPort, MacAddr, PodRef};
use serde_json::{Value, json};

use super::port::*;

/// The port was made; nothing was there before.
const MADE: &str = r#"[{},{"rows":[]},{"uuid":["uuid","ef4366cb-a484-4d27-834b-c40c8d735d04"]},{"uuid":["uuid","5af20035-6912-4c9e-a2ce-0aa920aec741"]},{"count":1},{}]"#;
/// The port was made, and an earlier life's was found.
const MADE_BESIDE: &str = r#"[{},{"rows":[{"_uuid":["uuid","5af20035-6912-4c9e-a2ce-0aa920aec741"],"external_ids":["map",[["attachment","n1/pods/a/eth0"],["incarnation","ab"],["owner","berth"]]],"tag":7}]},{"uuid":["uuid","0376113d-4d41-4f41-801c-270380c25ef1"]},{"uuid":["uuid","f0227eef-c9d0-4629-adbc-34cc1d088a52"]},{"count":1},{}]"#;
/// Every operation went well, and then the whole did not.
const NAME_TAKEN: &str = r#"[{},{"rows":[]},{"uuid":["uuid","914cfc2b-15b6-4eaf-a3db-a5021c13dd3a"]},{"uuid":["uuid","e8b2ef75-438c-4c69-9d61-9b1f43de532b"]},{"count":1},{},{"details":"Transaction causes multiple rows in \"Interface\" table to have identical values (bv1) for index on column \"name\".  First row, with UUID ef4366cb-a484-4d27-834b-c40c8d735d04, existed in the database before this transaction and was not modified by the transaction.  Second row, with UUID 914cfc2b-15b6-4eaf-a3db-a5021c13dd3a, was inserted by this transaction.","error":"constraint violation"}]"#;
/// There is no such bridge.
const NO_BRIDGE: &str =
    r#"[{"details":"\"where\" clause test failed","error":"timed out"},null,null,null,null,null]"#;
/// Another port bears the hardware address.
const MAC_TAKEN: &str = r#"[{},{"rows":[]},{"uuid":["uuid","9b5c925d-c294-4f1d-8cfb-8c4d523a86b6"]},{"uuid":["uuid","f0227eef-c9d0-4629-adbc-34cc1d088a52"]},{"count":1},{},{"details":"\"where\" clause test failed","error":"timed out"}]"#;
/// A value that the schema does not allow.
const BAD_TAG: &str = r#"[{},{"rows":[]},{"uuid":["uuid","9b5c925d-c294-4f1d-8cfb-8c4d523a86b6"]},{"details":"5000 is not in the valid range 0 to 4095 (inclusive)","error":"constraint violation"},null,null]"#;
/// The switch did nothing.
const NOT_YET: &str = r#"[{"details":"\"wait\" timed out after 14 ms","error":"timed out"},null]"#;
/// The switch cannot open the link.
const CANNOT: &str =
    r#"[{},{"rows":[{"ofport":-1,"error":"could not open network device bv1 (No such device)"}]}]"#;
/// Somebody removed the interface.
const REMOVED: &str = r#"[{},{"rows":[]}]"#;

fn results(recorded: &str) -> Vec<Value> {
    serde_json::from_str(recorded).unwrap()
}

fn id(raw: &str) -> AttachmentId {
    raw.parse().unwrap()
}

fn life(raw: u128) -> Incarnation {
    Incarnation::from_random(raw.to_be_bytes())
}

fn new_port() -> NewPort {
    let attachment = id("n1/pods/a/eth0");
    NewPort {
        port: LocalPort {
            name: port_name(&attachment, &life(1)).unwrap(),
            bridge: "br-pods".parse().unwrap(),
            socket: "/run/openvswitch/db.sock".into(),
        },
        attachment,
        incarnation: life(1),
        pod: Some(PodRef {
            namespace: "shop".into(),
            name: "web-0".into(),
            uid: "u1".into(),
        }),
        asked_mac: None,
        vlan: Some(7.try_into().unwrap()),
    }
}

#[test]
fn every_answer_to_an_add_is_understood() {
    let cases = [
        (MADE, Made::Yes),
        (MADE_BESIDE, Made::Yes),
        (NAME_TAKEN, Made::NameTaken),
        (NO_BRIDGE, Made::NoBridge),
        (MAC_TAKEN, Made::MacTaken),
        (
            BAD_TAG,
            Made::Refused(
                "constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)".into(),
            ),
        ),
    ];
    for (recorded, expected) in cases {
        assert_eq!(made(&results(recorded)), expected, "case: {recorded}");
    }
    assert_eq!(leftovers(&results(MADE)), []);
    let [left] = &leftovers(&results(MADE_BESIDE))[..] else {
        panic!("one leftover")
    };
    assert_eq!(left.tag, Some(7));
    assert_eq!(left.attachment.as_deref(), Some("n1/pods/a/eth0"));
}

#[test]
fn what_the_switch_made_of_a_port_is_understood() {
    let row = |ofport: Value| {
        let row = json!({"ofport": ofport, "error": ["set", []]});
        json!([{}, {"rows": [row]}]).to_string()
    };
    let refused = "could not open network device bv1 (No such device)";
    let cases = [
        (row(json!(5)), Applied::Yes),
        (row(json!(["set", []])), Applied::NotYet),
        (NOT_YET.into(), Applied::NotYet),
        (CANNOT.into(), Applied::Refused(refused.into())),
        (
            row(json!(-1)),
            Applied::Refused("it gives no reason".into()),
        ),
        (REMOVED.into(), Applied::Gone),
        ("[]".into(), Applied::Gone),
    ];
    for (recorded, expected) in cases {
        assert_eq!(applied(&results(&recorded)), expected, "case: {recorded}");
    }
}

#[test]
fn a_port_is_ours_only_when_it_says_so() {
    let row = |ids: Value| {
        let uuid = ["uuid", "5af20035-6912-4c9e-a2ce-0aa920aec741"];
        json!([{"rows": [{"_uuid": uuid, "tag": ["set", []], "external_ids": ids}]}])
    };
    let map = |ids: &[[&str; 2]]| json!(["map", ids]);
    let attachment = ["attachment", "n1/pods/a/eth0"];
    for (ids, ours) in [
        (map(&[attachment, ["owner", "berth"]]), true),
        (map(&[attachment]), false),
        (map(&[attachment, ["owner", "others"]]), false),
        (map(&[]), false),
        (json!(null), false),
        (json!(["map"]), false),
        (json!(["map", "x"]), false),
    ] {
        let found = seen(row(ids.clone()).as_array().unwrap(), 0);
        assert_eq!(found.len(), 1, "case: {ids}");
        assert_eq!(found[0].attachment.is_some(), ours, "case: {ids}");
        assert_eq!(found[0].tag, None);
    }
    for nonsense in [json!([]), json!([null]), json!([{"rows": [{}]}])] {
        assert_eq!(seen(nonsense.as_array().unwrap(), 0), []);
    }
}

/// What an ADD asks, in the order that its answer is read by.
#[test]
fn an_add_waits_for_the_bridge_first_and_looks_for_earlier_lives_second() {
    let operations = new_port().operations();
    let word = |n: usize, key: &str| operations[n][key].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (word(0, "op"), word(0, "table")),
        ("wait".into(), "Bridge".into())
    );
    assert_eq!(
        (word(1, "op"), word(1, "table")),
        ("select".into(), "Port".into())
    );
    let port = &operations[3]["row"];
    assert_eq!(
        (&port["tag"], &port["vlan_mode"]),
        (&json!(7), &json!("access"))
    );
    let said = port["external_ids"].to_string();
    for value in ["n1/pods/a/eth0", "shop", "web-0", "berth"] {
        assert!(said.contains(value), "{value} in {said}");
    }
    let untagged = NewPort {
        vlan: None,
        ..new_port()
    };
    let port = untagged.operations()[3]["row"].clone();
    let none = json!(["set", []]);
    assert_eq!((&port["tag"], &port["vlan_mode"]), (&none, &none));
}

#[test]
fn the_name_of_a_port_tells_attachment_and_life() {
    let a = id("n1/pods/a/eth0");
    let name = port_name(&a, &life(1)).unwrap();
    assert_eq!(name.as_str().len(), 15);
    assert!(name.as_str().starts_with(&name_prefix(&a)));
    assert_ne!(port_name(&a, &life(2)).unwrap(), name, "another life");
    for other in ["n1/pods/b/eth0", "n1/pods/a/eth1", "n1/web/a/eth0"] {
        assert_ne!(name_prefix(&id(other)), name_prefix(&a), "{other}");
    }
    // A node may be renamed; the container stays.
    assert_eq!(name_prefix(&id("n2/pods/a/eth0")), name_prefix(&a));
}

#[test]
fn names_are_spread() {
    let names: std::collections::BTreeSet<_> = (0..50_000)
        .map(|n| name_prefix(&id(&format!("n1/pods/c{n}/eth0"))))
        .collect();
    assert_eq!(names.len(), 50_000);
}

#[test]
fn only_a_hardware_address_that_was_asked_for_has_to_be_the_ports_alone() {
    let mac: MacAddr = "0a:58:0a:14:01:11".parse().unwrap();
    let asked = NewPort {
        asked_mac: Some(mac),
        ..new_port()
    };
    let (without, with) = (new_port().operations(), asked.operations());
    let [both @ .., looks] = &with[..] else {
        panic!("operations")
    };
    assert_eq!(both.len(), without.len());
    assert_eq!((&looks["op"], &looks["rows"]), (&json!("wait"), &json!([])));
    let bears = json!(["map", [["attached-mac", "0a:58:0a:14:01:11"]]]);
    assert_eq!(
        looks["where"][0],
        json!(["external_ids", "includes", bears])
    );
    let noted = |operation: &Value| operation.to_string().contains(&mac.to_string());
    let noting: Vec<_> = [&without[2], &with[2], &mac_operation("bv1", mac)]
        .map(noted)
        .into();
    assert_eq!(noting, [false, true, true]);
}
