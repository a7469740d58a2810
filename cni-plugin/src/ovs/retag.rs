//! A port that gets into another VLAN than it was made for: what is asked and answered. Pure.
//!
//! `next_cfg` is counted up with the change; once `cur_cfg` has caught up, `ovs-vswitchd` has done
//! all that the database said by then (`ovs-vswitchd.conf.db(5)`).

use berth_types::VlanId;
use serde_json::{Value, json};

use super::port::{rows, tagging};

/// The operations that put a port into another VLAN, and ask `ovs-vswitchd` to say when it has.
pub fn operations(name: &str, vlan: Option<VlanId>) -> Vec<Value> {
    vec![
        json!({
            "op": "update", "table": "Port", "where": [["name", "==", name]],
            "row": tagging(vlan),
        }),
        json!({
            "op": "mutate", "table": "Open_vSwitch", "where": [],
            "mutations": [["next_cfg", "+=", 1]],
        }),
        json!({"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]}),
    ]
}

/// The number that `ovs-vswitchd` says once it has done [`operations`]; `None` when the port
/// is gone.
pub fn number(results: &[Value]) -> Option<i64> {
    let count = results.first()?.get("count")?.as_i64()?;
    let number = rows(results, 2).first()?.get("next_cfg")?.as_i64()?;
    (count > 0).then_some(number)
}

/// The operation that looks which number `ovs-vswitchd` said last.
pub fn done_operation() -> Value {
    json!({"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["cur_cfg"]})
}

/// The answer to [`done_operation`].
pub fn done(results: &[Value]) -> Option<i64> {
    rows(results, 0).first()?.get("cur_cfg")?.as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_waited_for_by_the_number_of_the_change() {
        let answer =
            |count: u8| json!([{"count": count}, {"count": 1}, {"rows": [{"next_cfg": 7}]}]);
        let of = |answer: &Value| number(answer.as_array().unwrap());
        assert_eq!(of(&answer(1)), Some(7));
        assert_eq!(of(&answer(0)), None, "the port is gone");
        for strange in [
            json!([]),
            json!([{"count": 1}, {}, {"rows": []}]),
            json!([{"count": 1}]),
        ] {
            assert_eq!(of(&strange), None, "case: {strange}");
        }
        assert_eq!(done(&[json!({"rows": [{"cur_cfg": 6}]})]), Some(6));
        assert_eq!(done(&[json!({"rows": []})]), None);
    }

    #[test]
    fn an_untagged_port_has_neither_tag_nor_mode() {
        let row = |vlan| operations("bv1", vlan)[0]["row"].clone();
        assert_eq!(
            row(Some(7.try_into().unwrap())),
            json!({"tag": 7, "vlan_mode": "access"})
        );
        let none = json!(["set", []]);
        assert_eq!(row(None), json!({"tag": none, "vlan_mode": none}));
    }
}
