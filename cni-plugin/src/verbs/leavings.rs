//! What an attachment has on the node's side, beyond the link in the container's namespace.

use berth_types::{AttachmentId, LocalAttachment};

use crate::files::Intent;
use crate::spec::CniError;
use crate::vlan::{Which, remove_unused};

/// Removes it, once the container's link is gone. Nothing left is as good.
///
/// `intent` is of an ADD that did not come to its end, `record` of a complete interface; without
/// either, everything follows from the attachment's name.
///
/// # Errors
/// Code 11: something may still be there.
#[expect(
    clippy::unnecessary_wraps,
    reason = "drivers and host access remove here"
)]
pub(super) fn remove(
    _id: &AttachmentId,
    intent: Option<&Intent>,
    record: Option<&LocalAttachment>,
) -> Result<(), CniError> {
    remove_vlan(intent, record);
    Ok(())
}

/// Removes the VLAN sub-interface that the interface was the last one on. One that stays for an
/// error holds nothing up: the next call removes it.
fn remove_vlan(intent: Option<&Intent>, record: Option<&LocalAttachment>) {
    let removed = match (intent, record) {
        (None, Some(record)) if record.link.vlan.is_none() => Ok(()),
        (None, Some(record)) => remove_unused(Which::Named(&record.link.master)),
        _ => remove_unused(Which::Any),
    };
    if let Err(error) = removed {
        tracing::warn!(%error, "a VLAN sub-interface stays");
    }
}
