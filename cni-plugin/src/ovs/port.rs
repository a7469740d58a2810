//! A container's port in OVSDB: the operations that make, find and remove it, and what their
//! answers mean. Pure.
//!
//! The tables are those of `ovs-vswitchd.conf.db(5)`: a bridge lists its ports, a port its
//! interfaces; a row that no list names any more is removed by the server.

use berth_types::{AttachmentId, IfName, Incarnation, LocalPort, MacAddr, PodRef, VlanId, digits};
use serde_json::{Value, json};

/// What `external_ids:owner` says of a port that is ours.
const OWNER: &str = "berth";

/// A port to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPort {
    /// Where.
    pub port: LocalPort,
    /// Whose interface it connects.
    pub attachment: AttachmentId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Its pod, when the runtime named one.
    pub pod: Option<PodRef>,
    /// The hardware address of the container's end, when that was asked for: no other port of the
    /// node may bear it. One that follows from an address is as unique as that, and set later.
    pub asked_mac: Option<MacAddr>,
    /// The VLAN it is an access port of; untagged when absent.
    pub vlan: Option<VlanId>,
}

/// The name of the node's end of a life's veth, which is its port's as well.
///
/// Every life has a name of its own. `ovs-vswitchd` goes by names: where a port goes and another of
/// its name comes before it has looked, it keeps the old one's socket, and the new one is dead.
pub fn port_name(id: &AttachmentId, incarnation: &Incarnation) -> Option<IfName> {
    let life = digits(&incarnation.to_string(), 5);
    format!("{}{life}", name_prefix(id)).parse().ok()
}

/// What the names of all lives of an attachment begin with, so that a veth is found without any
/// file: 40 bits of its hash, which no two containers of a node share in practice.
pub fn name_prefix(id: &AttachmentId) -> String {
    let AttachmentId {
        node: _,
        network,
        container,
        ifname,
    } = id;
    format!(
        "bv{}",
        digits(&format!("{network}/{container}/{ifname}"), 8)
    )
}

/// A port as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPort {
    uuid: String,
    /// Its VLAN, when it is an access port of one.
    pub tag: Option<u64>,
    /// The attachment it says it is of; `None` for somebody else's port.
    pub attachment: Option<String>,
}

impl NewPort {
    /// The operations that make it: they wait for the bridge, and look for ports that earlier
    /// lives of the attachment left.
    pub fn operations(&self) -> Vec<Value> {
        let LocalPort { name, bridge, .. } = &self.port;
        let of_bridge = json!([["name", "==", bridge]]);
        let mut port = tagging(self.vlan);
        if let Some(port) = port.as_object_mut() {
            port.insert("name".into(), json!(name));
            port.insert("interfaces".into(), json!(["named-uuid", "made"]));
            port.insert("external_ids".into(), json!(["map", self.external_ids()]));
        }
        let ports = json!([["ports", "insert", ["set", [["named-uuid", "port"]]]]]);
        let mut ids = vec![json!(["iface-id", self.attachment.to_string()])];
        ids.extend(self.asked_mac.map(attached));
        let interface = json!({"name": name, "external_ids": ["map", ids]});
        let mut operations = vec![
            json!({
                "op": "wait", "table": "Bridge", "timeout": 0, "where": of_bridge,
                "columns": ["name"], "until": "==", "rows": [{"name": bridge}],
            }),
            find_operation(&self.attachment),
            json!({"op": "insert", "table": "Interface", "uuid-name": "made", "row": interface}),
            json!({"op": "insert", "table": "Port", "uuid-name": "port", "row": port}),
            json!({"op": "mutate", "table": "Bridge", "where": of_bridge, "mutations": ports}),
            comment(&format!("berth ADD {}", self.attachment)),
        ];
        operations.extend(self.asked_mac.map(|mac| self.no_other_bears(mac)));
        operations
    }

    /// Fails the whole unless that hardware address is this attachment's alone. Other programs that
    /// make ports note it under the same name.
    fn no_other_bears(&self, mac: MacAddr) -> Value {
        let bears = json!(["map", [["attached-mac", mac.to_string()]]]);
        let own = json!(["map", [["iface-id", self.attachment.to_string()]]]);
        json!({
            "op": "wait", "table": "Interface", "timeout": 0,
            "where": [["external_ids", "includes", bears], ["external_ids", "excludes", own]],
            "columns": ["name"], "until": "==", "rows": [],
        })
    }

    fn external_ids(&self) -> Vec<[String; 2]> {
        let id = &self.attachment;
        let mut ids = vec![
            ("owner", OWNER.to_owned()),
            ("attachment", id.to_string()),
            ("incarnation", self.incarnation.to_string()),
            ("container", id.container.to_string()),
            ("ifname", id.ifname.to_string()),
        ];
        if let Some(pod) = &self.pod {
            ids.push(("namespace", pod.namespace.clone()));
            ids.push(("pod", pod.name.clone()));
        }
        ids.into_iter()
            .map(|(key, value)| [key.to_owned(), value])
            .collect()
    }
}

/// What came of [`NewPort::operations`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// The port is in the database.
    Yes,
    /// There is no such bridge.
    NoBridge,
    /// A port of that name exists.
    NameTaken,
    /// Another port bears the hardware address that was asked for.
    MacTaken,
    /// Anything else.
    Refused(String),
}

/// Reads the answer to [`NewPort::operations`].
pub fn made(results: &[Value]) -> Made {
    let failed = results.iter().enumerate().find_map(|(at, result)| {
        let error = result.get("error")?.as_str()?;
        Some((at, error, result))
    });
    match failed {
        None => Made::Yes,
        Some((0, "timed out", _)) => Made::NoBridge,
        Some((_, "timed out", _)) => Made::MacTaken,
        Some((_, "constraint violation", result)) if says(result, "name") => Made::NameTaken,
        Some((_, _, result)) => Made::Refused(words(result)),
    }
}

/// The operation that notes the hardware address of the container's end.
pub fn mac_operation(name: &str, mac: MacAddr) -> Value {
    json!({
        "op": "mutate", "table": "Interface", "where": [["name", "==", name]],
        "mutations": [["external_ids", "insert", ["map", [attached(mac)]]]],
    })
}

/// The columns of a port that say which VLAN it is an access port of.
pub(super) fn tagging(vlan: Option<VlanId>) -> Value {
    match vlan {
        Some(vlan) => json!({"tag": u16::from(vlan), "vlan_mode": "access"}),
        None => json!({"tag": ["set", []], "vlan_mode": ["set", []]}),
    }
}

/// How an interface's `external_ids` name the hardware address at its other end.
fn attached(mac: MacAddr) -> Value {
    json!(["attached-mac", mac.to_string()])
}

/// The operations that wait until `ovs-vswitchd` has taken the interface up or refused it, at most
/// `timeout_ms`, and say what it did.
pub fn applied_operations(name: &str, timeout_ms: u64) -> Vec<Value> {
    let of_interface = json!([["name", "==", name]]);
    vec![
        json!({
            "op": "wait", "table": "Interface", "timeout": timeout_ms, "where": of_interface,
            "columns": ["ofport"], "until": "!=", "rows": [{"ofport": ["set", []]}],
        }),
        json!({
            "op": "select", "table": "Interface", "where": of_interface,
            "columns": ["ofport", "error"],
        }),
    ]
}

/// What `ovs-vswitchd` made of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It switches its frames.
    Yes,
    /// It did nothing in that time.
    NotYet,
    /// It cannot: `ofport` is -1 and `error` says why.
    Refused(String),
    /// Somebody removed it.
    Gone,
}

/// Reads the answer to [`applied_operations`].
pub fn applied(results: &[Value]) -> Applied {
    let timed_out = |result: &Value| result.get("error") == Some(&json!("timed out"));
    if results.first().is_some_and(timed_out) {
        return Applied::NotYet;
    }
    let Some(row) = rows(results, 1).first() else {
        return Applied::Gone;
    };
    match row.get("ofport").and_then(Value::as_i64) {
        Some(1..) => Applied::Yes,
        None => Applied::NotYet,
        Some(_) => Applied::Refused(
            row.get("error")
                .and_then(Value::as_str)
                .unwrap_or("it gives no reason")
                .to_owned(),
        ),
    }
}

/// The operation that looks for a port by its name.
pub fn look_operation(name: &str) -> Value {
    select(&json!([["name", "==", name]]))
}

/// The operation that looks for all ports of an attachment.
pub fn find_operation(id: &AttachmentId) -> Value {
    let ids = json!(["map", [["owner", OWNER], ["attachment", id.to_string()]]]);
    select(&json!([["external_ids", "includes", ids]]))
}

fn select(condition: &Value) -> Value {
    json!({
        "op": "select", "table": "Port", "where": condition,
        "columns": ["_uuid", "tag", "external_ids"],
    })
}

/// The ports that operation `at`, one of [`look_operation`] or [`find_operation`], found.
pub fn seen(results: &[Value], at: usize) -> Vec<SeenPort> {
    rows(results, at)
        .iter()
        .filter_map(SeenPort::read)
        .collect()
}

/// The ports that [`NewPort::operations`] found of earlier lives.
pub fn leftovers(results: &[Value]) -> Vec<SeenPort> {
    seen(results, 1)
}

impl SeenPort {
    fn read(row: &Value) -> Option<Self> {
        let uuid = row.get("_uuid")?.get(1)?.as_str()?.to_owned();
        let ids = row.get("external_ids");
        let id = |name: &str| external_id(ids, name).map(str::to_owned);
        let ours = id("owner").as_deref() == Some(OWNER);
        Some(Self {
            uuid,
            tag: row.get("tag").and_then(Value::as_u64),
            attachment: id("attachment").filter(|_| ours),
        })
    }
}

/// The operations that remove ports from whatever bridges they are on.
pub fn remove_operations(ports: &[SeenPort]) -> Vec<Value> {
    let remove = |port: &SeenPort| {
        let uuid = json!(["uuid", port.uuid]);
        json!({
            "op": "mutate", "table": "Bridge", "where": [["ports", "includes", uuid]],
            "mutations": [["ports", "delete", ["set", [uuid]]]],
        })
    };
    let mut operations: Vec<_> = ports.iter().map(remove).collect();
    operations.push(comment("berth removes ports"));
    operations
}

/// The first error of an answer, in words; also the one that follows the last operation's result.
pub fn refusal(results: &[Value]) -> Option<String> {
    let failed = results.iter().find(|result| result.get("error").is_some());
    failed.map(words)
}

fn comment(text: &str) -> Value {
    json!({"op": "comment", "comment": text})
}

pub(super) fn rows(results: &[Value], operation: usize) -> &[Value] {
    let result = results.get(operation);
    let rows = result
        .and_then(|result| result.get("rows"))
        .and_then(Value::as_array);
    rows.map(Vec::as_slice).unwrap_or_default()
}

/// A value of a column `["map", [[key, value], …]]`.
fn external_id<'a>(map: Option<&'a Value>, name: &str) -> Option<&'a str> {
    let pairs = map?.get(1)?.as_array()?;
    let pair = pairs
        .iter()
        .find(|pair| pair.get(0).and_then(Value::as_str) == Some(name))?;
    pair.get(1)?.as_str()
}

fn says(result: &Value, word: &str) -> bool {
    let details = result.get("details").and_then(Value::as_str);
    details.is_some_and(|details| details.contains(word))
}

fn words(result: &Value) -> String {
    let text = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("details") {
        "" => text("error").to_owned(),
        details => format!("{}: {details}", text("error")),
    }
}
