//! Ports that could not be removed while the database was away: one file each, below
//! `<stateDir>/ovs`, removed again with the port by a later call.
//!
//! The database outlives a reboot, and so do the files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use berth_ipam::uptime_ms;
use berth_types::{AttachmentId, Record, SchemaVersion};
use serde::{Deserialize, Serialize};

use super::bridge;
use super::port::name_prefix;
use crate::spec::CniError;

/// How often one call asks a database at most.
const AT_ONCE: usize = 16;
/// How long a database has for each answer: a call that somebody waits for has done its own work.
const PATIENCE: Duration = Duration::from_millis(300);

/// Ports that are to go: all of an attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Schema version.
    pub v: SchemaVersion,
    /// The unix socket of the database.
    pub socket: PathBuf,
    /// Whose they are.
    pub attachment: AttachmentId,
}

impl Record for Pending {}

impl Pending {
    /// Notes it on disk, in a file of its own: whoever works off an earlier note of the attachment
    /// removes that one alone.
    ///
    /// # Errors
    /// Code 5.
    pub fn note(&self, state_dir: &Path) -> Result<(), CniError> {
        let (folder, prefix) = (folder(state_dir), name_prefix(&self.attachment));
        let path = folder.join(format!("{prefix}-{}-{}.json", process::id(), uptime_ms()));
        let fresh = path.with_extension("new");
        let written = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&fresh, self.encode()))
            .and_then(|()| fs::File::open(&fresh)?.sync_all())
            .and_then(|()| fs::rename(&fresh, &path))
            .and_then(|()| fs::File::open(&folder)?.sync_all());
        written.map_err(|error| CniError::io(path.display(), &error))
    }
}

/// Forgets what waits of an attachment that gets a port: that removes the others by itself. To be
/// called before the port is there, so that [`drain`] never takes it for one of them.
pub fn forget_of(state_dir: &Path, id: &AttachmentId) {
    let prefix = name_prefix(id);
    let of_it = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.starts_with(&prefix))
    };
    for path in notes(state_dir).filter(of_it) {
        forget(&path);
    }
}

/// Removes ports that wait, as far as the database answers. What still cannot be removed waits on;
/// no call fails for it.
pub fn drain(state_dir: &Path) {
    let mut asked = 0;
    // One that does not answer would not answer the next time either.
    let mut away = BTreeSet::new();
    for path in notes(state_dir) {
        let Some(Pending {
            v: SchemaVersion,
            socket,
            attachment,
        }) = read(&path)
        else {
            continue;
        };
        if asked == AT_ONCE {
            return;
        }
        if away.contains(&socket) {
            continue;
        }
        asked += 1;
        // A port that was made after the note was forgotten is of a later life.
        match bridge::remove_if(&socket, PATIENCE, &attachment, || path.exists()) {
            Ok(()) => forget(&path),
            Err(error) => {
                tracing::debug!(%error, "ports that wait cannot be removed");
                away.insert(socket);
            }
        }
    }
}

fn notes(state_dir: &Path) -> impl Iterator<Item = PathBuf> {
    let listed = fs::read_dir(folder(state_dir)).into_iter().flatten();
    let paths = listed.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|kind| kind == "json"))
}

fn read(path: &Path) -> Option<Pending> {
    let bytes = fs::read(path).ok()?;
    Pending::decode(path.display(), &bytes).ok()
}

fn forget(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(%error, "a note of a removed port cannot be removed");
        }
        _ => {}
    }
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("ovs")
}
