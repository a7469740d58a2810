//! What a runtime adds to the configuration for GC: the attachments that it still has.

use std::collections::BTreeSet;

use berth_types::{ContainerId, IfName};
use serde::Deserialize;
use serde_json::Value;

use super::fields::{Fields, null_is_empty};
use crate::spec::{CniError, Code};

/// The list's name in the specification, and the one its first text had: libcni sends both.
const NAMES: [&str; 2] = ["cni.dev/valid-attachments", "cni.dev/attachments"];

/// The fields as they were sent. Only GC reads them: no other verb fails for what is in them.
#[derive(Clone, Debug, Default)]
pub struct GcFields {
    /// The lists that are there, by name.
    lists: Vec<(&'static str, Value)>,
    /// `disableGC`.
    disable: Option<Value>,
}

/// The attachments that the runtime still has, of any network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidAttachments(BTreeSet<(ContainerId, IfName)>);

/// An entry; the specification leaves room for more in it.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "containerID")]
    container: ContainerId,
    ifname: IfName,
}

impl GcFields {
    pub(super) fn of(fields: &Fields<'_>) -> Self {
        let lists = NAMES.iter().filter_map(|name| {
            let list = fields.present(name)?;
            Some((*name, list.clone()))
        });
        Self {
            lists: lists.collect(),
            disable: fields.present("disableGC").cloned(),
        }
    }

    /// Whether the operator has switched GC off for the network, because several runtimes share it.
    ///
    /// # Errors
    /// Code 7 for what is neither yes nor no.
    pub fn disabled(&self) -> Result<bool, CniError> {
        match &self.disable {
            None => Ok(false),
            Some(Value::Bool(disabled)) => Ok(*disabled),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(other) => Err(CniError::field("disableGC", other, "write true or false")),
        }
    }

    /// What either list names. Without a list nothing is valid, as when libcni is given none.
    ///
    /// # Errors
    /// Code 7: an entry that cannot be read might be a container that lives.
    pub fn valid(&self) -> Result<ValidAttachments, CniError> {
        let mut valid = BTreeSet::new();
        for (name, list) in &self.lists {
            let entries: Vec<Entry> = null_is_empty(list).map_err(|error| {
                let message = format!("{name}: {error}");
                CniError::new(Code::InvalidConfig, message).details(
                    r#"the runtime has to send a list of {"containerID": "…", "ifname": "…"}; nothing was cleaned up"#,
                )
            })?;
            valid.extend(
                entries
                    .into_iter()
                    .map(|entry| (entry.container, entry.ifname)),
            );
        }
        Ok(ValidAttachments(valid))
    }
}

impl ValidAttachments {
    /// Whether the runtime has it.
    pub fn has(&self, container: &ContainerId, ifname: &IfName) -> bool {
        // A set of pairs is asked with a pair.
        self.0.contains(&(container.clone(), ifname.clone()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> GcFields {
        let object = value.as_object().expect("an object");
        GcFields::of(&Fields { object, prefix: "" })
    }

    fn has(valid: &ValidAttachments, container: &str, ifname: &str) -> bool {
        valid.has(&container.parse().unwrap(), &ifname.parse().unwrap())
    }

    #[test]
    fn case_43_either_name_of_the_list_is_read_and_both_together() {
        let [a, b] = ["a", "b"].map(|id| json!([{"containerID": id, "ifname": "eth0", "x": 1}]));
        for name in NAMES {
            let valid = read(&json!({name: a})).valid().unwrap();
            assert!(
                has(&valid, "a", "eth0") && !has(&valid, "b", "eth0"),
                "case: {name}"
            );
            assert!(!has(&valid, "a", "net1"), "case: {name}");
        }
        let valid = read(&json!({NAMES[0]: a, NAMES[1]: b})).valid().unwrap();
        assert!(has(&valid, "a", "eth0") && has(&valid, "b", "eth0"));
        for nothing in [json!({}), json!({NAMES[0]: null}), json!({NAMES[1]: []})] {
            assert_eq!(read(&nothing).valid(), Ok(ValidAttachments::default()));
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_is_code_7() {
        for bad in [
            json!("a"),
            json!({}),
            json!(["a"]),
            json!([{"containerID": "a"}]),
            json!([{"containerID": "a/b", "ifname": "eth0"}]),
            json!([{"containerID": "a", "ifname": "eth0"}, null]),
        ] {
            let error = read(&json!({NAMES[0]: bad})).valid().unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig, "case: {bad}");
            assert!(error.to_string().contains(NAMES[0]), "{error}");
        }
    }

    #[test]
    fn case_44_gc_is_switched_off_by_a_word_or_a_flag() {
        for (value, disabled) in [
            (json!(true), true),
            (json!("true"), true),
            (json!(false), false),
            (json!("false"), false),
            (json!(null), false),
        ] {
            let fields = read(&json!({"disableGC": value}));
            assert_eq!(fields.disabled(), Ok(disabled), "case: {value}");
        }
        assert!(read(&json!({"disableGC": 1})).disabled().is_err());
    }
}
