//! What an attachment has on the node's side, beyond the link in the container's namespace.

use berth_types::{AttachmentId, LocalAttachment};

use crate::files::Intent;
use crate::spec::CniError;

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
pub(super) const fn remove(
    _id: &AttachmentId,
    _intent: Option<&Intent>,
    _record: Option<&LocalAttachment>,
) -> Result<(), CniError> {
    Ok(())
}
