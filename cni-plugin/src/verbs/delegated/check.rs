//! CHECK of a delegated plugin: does the store still give the interface its addresses?

use crate::spec::{CniError, Config, Invocation};
use crate::verbs::check::{Previous, check_store, recorded, recorded_ips};
use crate::wanted::attachment;

/// Compares the store with what the node wrote down, or else with the result of the ADD.
///
/// The interface is the main plugin's to check. With the store away or unusable that passes, with
/// a warning on stderr.
///
/// # Errors
/// Code 7 without `prevResult`, 102 when an address has another holder, 999 when it has none.
pub fn check(call: &Invocation, config: &Config) -> Result<String, CniError> {
    let id = attachment(call, config)?;
    let previous = Previous::of(config)?;
    let mut ours = recorded_ips(recorded(&super::files(config), &id).as_ref());
    if ours.is_empty() {
        ours = previous.of_interface(id.ifname.as_str());
    }
    check_store(config, &id, &ours)?;
    Ok(String::new())
}
