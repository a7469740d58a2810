//! Ending an earlier sandbox of the same pod, whose fixed address a new one is to have.

use berth_ipam::fault::checkpoint;
use berth_ipam::{Ended, Evidence, Probing};
use berth_types::{AttachmentId, Incarnation, NetnsRef};

use super::detach;
use super::leavings::Leavings;
use crate::files::{Locked, RunFiles};
use crate::spec::{CniError, Code, ConflictCheck};

/// The sandboxes of this node, whose interfaces are this plugin's to remove.
#[derive(Debug)]
pub(super) struct Sandboxes<'a> {
    pub(super) files: &'a RunFiles,
    /// The attachment that this call works on, and has locked.
    pub(super) own: &'a AttachmentId,
    pub(super) leavings: Leavings<'a>,
    /// When the wire is asked.
    pub(super) conflict_check: ConflictCheck,
}

impl Evidence for Sandboxes<'_> {
    /// Removes the earlier sandbox's interface, or proves it gone with its namespace, and forgets
    /// its record, so that a DEL that comes late finds nothing of it.
    ///
    /// It stands where another call works on it, also one that does the same from the other side:
    /// both have an attachment of their own locked, and neither waits for long.
    fn end_sandbox(
        &self,
        earlier: &AttachmentId,
        incarnation: &Incarnation,
        netns: Option<&NetnsRef>,
    ) -> Ended {
        match self.end(earlier, incarnation, netns) {
            Ok(()) => Ended::Gone,
            Err(error) => Ended::Stands {
                reason: error.to_string(),
            },
        }
    }

    fn probing(&self) -> Probing {
        match self.conflict_check {
            ConflictCheck::Off => Probing::Unproven,
            ConflictCheck::Takeover | ConflictCheck::Always => Probing::Takeovers,
        }
    }
}

impl Sandboxes<'_> {
    fn end(
        &self,
        earlier: &AttachmentId,
        incarnation: &Incarnation,
        netns: Option<&NetnsRef>,
    ) -> Result<(), CniError> {
        let AttachmentId {
            container, ifname, ..
        } = self.own;
        if earlier.container == *container && earlier.ifname == *ifname {
            // Its files are locked by this call, which has ended what they tell of.
            return detach::remove_stored(earlier, incarnation, netns);
        }
        let mut locked = self.files.lock_other(earlier)?;
        checkpoint("takeover.begun");
        let left = self.end_recorded(&mut locked, earlier, incarnation, netns)?;
        checkpoint("takeover.forgotten");
        match left {
            Left::Nothing => locked.finish(),
            Left::Intent => Ok(()),
        }
    }

    fn end_recorded(
        &self,
        locked: &mut Locked,
        earlier: &AttachmentId,
        incarnation: &Incarnation,
        netns: Option<&NetnsRef>,
    ) -> Result<Left, CniError> {
        let intent = locked.left_intent()?;
        let record = locked.record()?;
        let recorded = record.as_ref().map(|record| &record.incarnation);
        let intended = intent.as_ref().map(|intent| &intent.incarnation);
        if intent.is_none() && recorded.is_some_and(|known| known != incarnation) {
            let message = format!("this node's record of {earlier} is of another life");
            return Err(CniError::new(Code::TryAgain, message));
        }
        if let Some(intent) = &intent {
            detach::remove_half_made(intent, None)?;
        }
        if let Some(record) = &record {
            detach::remove_complete(record, None)?;
        }
        if intended != Some(incarnation) && recorded != Some(incarnation) {
            detach::remove_stored(earlier, incarnation, netns)?;
        }
        self.leavings.remove(intent.as_ref(), record.as_ref())?;
        checkpoint("takeover.unlinked");
        locked.remove_record()?;
        Ok(if intended.is_some_and(|known| known != incarnation) {
            Left::Intent
        } else {
            Left::Nothing
        })
    }
}

/// What is left of the earlier sandbox.
enum Left {
    Nothing,
    /// The trace of a killed ADD, whose claim may still be on its way: its DEL has to know.
    Intent,
}
