//! Fields that a later release serves: refused rather than passed over in silence.

use serde_json::Value;

use super::fields::Fields;
use crate::spec::CniError;

const REMEDY: &str = "remove it: this release does not serve it";

/// Fields of the configuration whose feature is not there yet, unless they switch it off.
const SWITCHES: [&str; 4] = ["hostAccess", "serviceCidrs", "gatewayCheck", "vlan"];
/// Fields with one word that this release serves.
const WORDS: [(&str, &str, &str); 2] = [
    (
        "driver",
        "macvlan",
        "use macvlan, the driver of this release",
    ),
    (
        "conflictCheck",
        "off",
        "remove it or use off: this release does not ask the wire who has an address",
    ),
];

/// Refuses a configuration that asks for what is not served.
///
/// # Errors
/// Code 7, naming the first such field and its value.
pub(super) fn refuse(fields: &Fields<'_>) -> Result<(), CniError> {
    for name in SWITCHES {
        let off = |value: &&Value| **value == Value::Bool(false) || **value == Value::Array(vec![]);
        if fields.present(name).is_some_and(|value| !off(&value)) {
            return Err(fields.wrong(name, REMEDY));
        }
    }
    for (name, served, remedy) in WORDS {
        if fields.text(name)?.is_some_and(|word| word != served) {
            return Err(fields.wrong(name, remedy));
        }
    }
    Ok(())
}
