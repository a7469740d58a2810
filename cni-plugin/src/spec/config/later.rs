//! Fields that a later release serves: refused rather than passed over in silence.

use super::link::LinkConfig;
use crate::spec::CniError;
use crate::spec::config::fields::Fields;

const REMEDY: &str = "remove it: this release does not serve it";

/// Refuses a configuration that asks for what is not served.
///
/// # Errors
/// Code 7, naming the first such field and its value.
pub(super) fn refuse(fields: &Fields<'_>, link: &LinkConfig) -> Result<(), CniError> {
    let later = [("hostAccess", link.host_access.is_some())];
    match later.into_iter().find(|(_, asked)| *asked) {
        Some((name, _)) => Err(fields.wrong(name, REMEDY)),
        None => Ok(()),
    }
}
