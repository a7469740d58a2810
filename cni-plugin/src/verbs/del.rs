//! DEL: the interface goes first, then its address is free.

use std::path::PathBuf;

use berth_types::{AttachmentId, LocalAttachment};

use super::detach;
use super::leavings::Leavings;
use super::recognize;
use super::source::{Life, Released, Source};
use crate::files::{Intent, Locked, RunFiles};
use crate::ovs::pending;
use crate::spec::{CniError, Invocation, MainConfig};
use crate::wanted::attachment;
use berth_ipam::fault::checkpoint;

/// Takes the container off the network, whatever of it there is. May be repeated, and come late.
///
/// With the store away the interface goes all the same; the release is noted on disk and made by
/// a later call.
///
/// # Errors
/// Code 11 while the interface cannot be removed: its address stays held. Code 5.
pub fn del(call: &Invocation, config: &MainConfig) -> Result<String, CniError> {
    let MainConfig {
        common: config,
        link,
        misspelt: _,
    } = config;
    let id = attachment(call, config)?;
    let files = RunFiles::new(&config.run_dir);
    let mut locked = files.lock(&id)?;
    let record = locked.record_unless_damaged()?;
    let netns = call.netns().map(PathBuf::as_path);
    if let Some(record) = &record
        && record.attachment != id
        && detach::stands(record, netns)?
    {
        // Another network's interface, which this network's ADD was refused for.
        locked.finish()?;
        return Ok(String::new());
    }
    let intent = locked.left_intent()?;
    let source = Source::open(call, config)?;
    checkpoint("del.begun");
    if let Some(intent) = &intent {
        detach::remove_half_made(intent, netns)?;
    }
    if let Some(record) = &record {
        detach::remove_complete(record, netns)?;
    }
    let leavings = Leavings {
        config,
        link: Some(link),
    };
    if record.is_none() && intent.is_none() {
        let trace = match source.allocator() {
            Some(allocator) => detach::remove_unrecorded(&id, netns, &files, allocator)?,
            None => recognize::remove(&id, netns)?,
        };
        leavings.remove_unrecorded(&id, trace)?;
    }
    leavings.remove(intent.as_ref(), record.as_ref())?;
    checkpoint("del.unlinked");
    let done = give_up(id, locked, (record, intent), &files, &source);
    pending::drain(&config.state_dir);
    done
}

/// Releases what the attachment holds, now that its interface is gone, and forgets it.
///
/// # Errors
/// Code 11 when the release can neither be made nor noted; code 5.
pub(super) fn give_up(
    id: AttachmentId,
    locked: Locked,
    (record, intent): (Option<LocalAttachment>, Option<Intent>),
    files: &RunFiles,
    source: &Source<'_>,
) -> Result<String, CniError> {
    // The network or the node may have been renamed since the ADD.
    let life = match (&record, &intent) {
        // The ADD that was killed is the attachment's latest life.
        (_, Some(intent)) => Life::of_intent(intent),
        (Some(record), None) => Life::of_record(record),
        (None, None) => Life::forgotten(id),
    };
    let released = source.release(&life, &locked)?;
    checkpoint("del.released");
    locked.remove_record()?;
    checkpoint("del.forgotten");
    locked.finish()?;
    match released {
        Released::Made => {
            files.note_store_back();
            source.drain();
        }
        Released::Waits => files.note_store_away(),
        Released::Elsewhere => {}
    }
    Ok(String::new())
}
