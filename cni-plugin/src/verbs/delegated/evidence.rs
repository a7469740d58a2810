//! What a delegated plugin can prove of an earlier sandbox: that it is gone, nothing else.

use berth_ipam::{Ended, Evidence, Probing};
use berth_types::{AttachmentId, Incarnation, NetnsRef};

use super::standing::Bearer;
use crate::files::RunFiles;
use crate::host::Netns;
use crate::spec::CniError;

/// The sandboxes of this node, whose interfaces are another plugin's.
#[derive(Debug)]
pub(super) struct OthersSandboxes<'a> {
    pub(super) files: &'a RunFiles,
    /// The attachment that this call works on, and has locked.
    pub(super) own: &'a AttachmentId,
}

impl Evidence for OthersSandboxes<'_> {
    /// Says whether the earlier sandbox's interface is gone; that it is forgotten is left to its
    /// DEL, or to the next ADD of its id.
    fn end_sandbox(
        &self,
        earlier: &AttachmentId,
        incarnation: &Incarnation,
        netns: Option<&NetnsRef>,
    ) -> Ended {
        let reason = match self.is_gone(earlier, incarnation, netns) {
            Ok(true) => return Ended::Gone,
            Ok(false) => "its interface stands, and is another plugin's to remove".to_owned(),
            Err(error) => error.to_string(),
        };
        Ended::Stands { reason }
    }

    /// The interface that could ask is another plugin's.
    fn probing(&self) -> Probing {
        Probing::Nothing
    }
}

impl OthersSandboxes<'_> {
    fn is_gone(
        &self,
        earlier: &AttachmentId,
        incarnation: &Incarnation,
        netns: Option<&NetnsRef>,
    ) -> Result<bool, CniError> {
        let AttachmentId {
            container, ifname, ..
        } = self.own;
        let is_own = earlier.container == *container && earlier.ifname == *ifname;
        let record = if is_own {
            None
        } else {
            // While an ADD or DEL of it is at work nothing is certain.
            let locked = self.files.lock_other(earlier)?;
            locked.record()?
        };
        match record.filter(|record| record.incarnation == *incarnation) {
            Some(record) => Bearer::from(&record).is_gone(None),
            None => netns.map_or(Ok(false), |seen| {
                let found = Netns::find(seen, None)?;
                Ok(found.is_none())
            }),
        }
    }
}
