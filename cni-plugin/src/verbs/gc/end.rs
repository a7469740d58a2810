//! Ending one attachment, as its DEL would.

use berth_ipam::Known;
use berth_ipam::fault::checkpoint;
use berth_types::{AttachmentId, Incarnation};
use jiff::Timestamp;

use super::Side;
use super::decide::{Found, Trace};
use crate::files::RunFiles;
use crate::spec::{CniError, Config};
use crate::verbs::del::give_up;
use crate::verbs::source::Source;
use crate::wanted::node_name;

/// What it takes to end attachments.
pub(super) struct Sweep<'a, S> {
    pub(super) files: &'a RunFiles,
    pub(super) side: &'a S,
    pub(super) source: &'a Source<'a>,
}

impl<S: Side> Sweep<'_, S> {
    /// Ends the attachment, unless a call works on it or has done so since it was found.
    ///
    /// # Errors
    /// Code 11 while something of it may still be there: its address stays held; code 5.
    pub(super) fn end(&self, found: Found) -> Result<(), CniError> {
        let Found { id, trace, life: _ } = found;
        let Some(mut locked) = self.files.lock_idle(&id)? else {
            return Ok(());
        };
        let (record, intent) = (locked.record()?, locked.left_intent()?);
        let standing = (
            record.as_ref().map(|record| record.incarnation.clone()),
            intent.as_ref().map(|intent| intent.incarnation.clone()),
        );
        checkpoint("gc.begun");
        match trace {
            Trace::Files {
                record: r,
                intent: i,
            } if (&r, &i) == (&standing.0, &standing.1) => {
                self.side.clear(&id, intent.as_ref(), record.as_ref())?;
                checkpoint("gc.cleared");
                give_up(id, locked, (record, intent), self.files, self.source).map(drop)
            }
            Trace::Stored { incarnation, .. } if standing == (None, None) => {
                self.side.clear(&id, None, None)?;
                checkpoint("gc.cleared");
                self.release_stored(&id, incarnation)
            }
            Trace::Files { .. } | Trace::Stored { .. } => Ok(()),
        }
    }

    /// Releases that life and no later one.
    fn release_stored(&self, id: &AttachmentId, life: Incarnation) -> Result<(), CniError> {
        let Some(allocator) = self.source.allocator() else {
            return Ok(());
        };
        let known = Known::unfinished(life);
        let ipam = &allocator.ipam;
        let release = ipam.release_only(id, &known, Timestamp::now());
        let released = allocator.wait(release)?;
        tracing::debug!(attachment = %id, ?released, "only the store told of it");
        checkpoint("gc.released");
        Ok(())
    }

    /// Removes the files of calls that were killed before they had done anything. One that stays
    /// is as harmless as before.
    ///
    /// # Errors
    /// Code 7 for a node without a usable name.
    pub(super) fn remove_empty_intents(&self, config: &Config) -> Result<(), CniError> {
        let node = node_name(config)?;
        for (container, ifname) in self.files.intended() {
            // Whichever network's it is: the file's name has none.
            let id = AttachmentId {
                node: node.clone(),
                network: config.name.clone(),
                container,
                ifname,
            };
            // Given up without an intent, it leaves no file.
            drop(self.files.lock_idle(&id));
        }
        Ok(())
    }
}
