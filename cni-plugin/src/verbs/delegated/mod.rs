//! The verbs of `berth-ipam`: the same IPAM for interfaces that another plugin makes.
//!
//! A delegated plugin cannot remove an interface: its main plugin does that, some before they call
//! DEL here and some after. What is guaranteed all the same:
//!
//! - DEL takes an interface that still bears the address down before it gives the address up, so
//!   that no two live interfaces have it; where that cannot be done the address stays held and DEL
//!   answers 11. Where the interface or its namespace is gone there is nothing to do.
//! - A fixed address is taken from an earlier sandbox of the pod only once its interface or its
//!   namespace is gone, and never by removing it.
//! - Whatever the main plugin forgets to delete stays held.

mod add;
mod check;
mod del;
mod evidence;
mod gc;
mod standing;

pub use add::add;
pub use check::check;
pub use del::del;
pub use gc::gc;

use crate::files::RunFiles;
use crate::spec::{CniError, Config};

/// STATUS: whether the store could serve an ADD, as far as the node knows.
///
/// # Errors
/// Code 50, when the store has been away for long.
pub fn status(config: &Config) -> Result<String, CniError> {
    super::status::store_status(config, &files(config))
}

/// Beside `berth`'s own, whose interfaces are others.
fn files(config: &Config) -> RunFiles {
    RunFiles::new(&config.run_dir.join("ipam"))
}
