//! GC of a delegated plugin: whose interface is gone no longer needs its address.

use std::path::Path;

use berth_types::{AttachmentId, LocalAttachment};

use super::standing::Bearer;
use crate::files::Intent;
use crate::spec::{CniError, Config, Invocation};
use crate::verbs::gc::{Side, sweep};

/// The plugin that gives addresses to interfaces that another makes.
#[derive(Debug)]
struct Others;

impl Side for Others {
    /// Also one that is down: its main plugin may bring it up again.
    fn stands(&self, record: &LocalAttachment, also: Option<&Path>) -> Result<bool, CniError> {
        Bearer::from(record).is_gone(also).map(|gone| !gone)
    }

    /// There is nothing of this plugin's own.
    fn clear(
        &self,
        _: &AttachmentId,
        _: Option<&Intent>,
        _: Option<&LocalAttachment>,
    ) -> Result<(), CniError> {
        Ok(())
    }
}

/// Gives up what the runtime no longer has, and whose interface or namespace is gone.
///
/// # Errors
/// As of `berth` itself.
pub fn gc(call: &Invocation, config: &Config) -> Result<String, CniError> {
    sweep(call, config, &super::files(config), &Others)
}
