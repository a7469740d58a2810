//! DEL of a delegated plugin: nobody bears the address any more, then it is free.

use std::path::Path;

use berth_ipam::fault::checkpoint;
use berth_store::StoreError;
use berth_types::AttachmentId;

use super::standing::{Bearer, is_held};
use crate::files::RunFiles;
use crate::spec::{CniError, Config, Invocation};
use crate::verbs::allocator::Allocator;
use crate::verbs::del::give_up;
use crate::verbs::source::Source;
use crate::wanted::attachment;

/// Gives up what the interface was given. May be repeated, and come late.
///
/// An interface that its main plugin has not removed yet is taken down first. With the store away
/// the release is noted on disk and made by a later call; the interface is left alone then, for
/// nothing says that its address is still this attachment's.
///
/// # Errors
/// Code 11 while the interface cannot be taken down: its address stays held. Code 5.
pub fn del(call: &Invocation, config: &Config) -> Result<String, CniError> {
    let id = attachment(call, config)?;
    let files = super::files(config);
    let mut locked = files.lock(&id)?;
    let record = locked.record_unless_damaged()?;
    let netns = call.netns().map(std::path::PathBuf::as_path);
    if let Some(record) = &record
        && record.attachment != id
        && !Bearer::from(record).is_gone(None)?
    {
        // Another network's interface, which this network's ADD was refused for; or that network
        // was renamed since.
        locked.finish()?;
        return Ok(String::new());
    }
    let intent = locked.left_intent()?;
    let source = Source::open(call, config)?;
    let Some(allocator) = source.allocator() else {
        return config.ipam.own().map(|_| String::new());
    };
    checkpoint("del.begun");
    match (&record, &intent) {
        (Some(record), _) => {
            let bearer = Bearer::from(record);
            let held = |bearer: &Bearer| {
                is_held(&record.attachment, &record.incarnation, bearer, allocator)
            };
            take_down(&bearer, netns, held)?;
        }
        // Its main plugin was never told what it claimed.
        (None, Some(_)) => {}
        (None, None) => take_down_unrecorded(&id, netns, &files, allocator)?,
    }
    checkpoint("del.unlinked");
    give_up(id, locked, (record, intent), &files, &source)
}

/// Takes the interface down where it stands and the address is still its own: files outlive what
/// they tell of, and inode numbers of namespaces are used again.
fn take_down(
    bearer: &Bearer,
    netns: Option<&Path>,
    is_held: impl FnOnce(&Bearer) -> Result<bool, StoreError>,
) -> Result<(), CniError> {
    if !bearer.stands(netns)? {
        return Ok(());
    }
    match is_held(bearer) {
        Ok(true) => bearer.take_down(netns),
        Ok(false) => Ok(()),
        Err(error) => {
            tracing::debug!(%error, "the interface is left to its main plugin");
            Ok(())
        }
    }
}

/// The same for an attachment that the node has no file of any more.
fn take_down_unrecorded(
    id: &AttachmentId,
    netns: Option<&Path>,
    files: &RunFiles,
    allocator: &Allocator,
) -> Result<(), CniError> {
    let stored = match Bearer::stored(id, allocator) {
        Ok(stored) => stored,
        Err(error) => {
            tracing::debug!(%error, "the interface is left to its main plugin");
            files.note_store_away();
            return Ok(());
        }
    };
    let Some((bearer, incarnation)) = stored else {
        return Ok(());
    };
    let held = |bearer: &Bearer| is_held(id, &incarnation, bearer, allocator);
    take_down(&bearer, netns, held)
}
