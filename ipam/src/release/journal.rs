//! Releases that wait for the store to return: one small file each, made in order.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use berth_store::{Revision, Store};
use berth_types::{AttachmentId, Incarnation, Record, SchemaVersion};
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, Flock, FlockArg};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use serde::{Deserialize, Serialize};

use super::{Known, Lives, Scope};
use crate::fault::checkpoint;
use crate::hint::highest_seen;
use crate::lock_file;
use crate::{Ipam, IpamError};

/// How the names of notes of the second kind end.
const SWEEP: &str = "sweep.json";
/// How many notes a node keeps before it refuses to take more.
const MOST: usize = 4096;

/// A note of something to be done when the store answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    pub(super) v: SchemaVersion,
    /// The store it is for: any of these names.
    pub(super) store: Vec<String>,
    pub(super) attachment: AttachmentId,
    pub(super) task: Task,
}

impl Record for Note {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Task {
    /// Release this life of the attachment. Where the node no longer knew which, what the store had
    /// of it up to revision `seen`, the newest that the node knew of. With its hints lost as well
    /// that is 0: then nothing is freed, for it might be alive; an operator releases it.
    Release {
        known: Option<Known>,
        seen: Revision,
    },
    /// Remove the record that stands in the way of late transactions.
    Sweep {
        incarnation: Incarnation,
        boot_id: String,
        due_ms: u64,
    },
}

/// What a drain did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Notes worked off.
    pub done: usize,
    /// Notes that are not due yet, or whose release meets a record that must not be touched.
    pub waiting: usize,
}

impl<S: Store> Ipam<S> {
    /// Notes a release on disk, durably.
    ///
    /// # Errors
    /// [`IpamError::JournalFull`] beyond 4,096 notes; [`IpamError::Disk`].
    pub(super) fn journal_release(
        &self,
        id: &AttachmentId,
        known: Option<&Known>,
        now: Timestamp,
    ) -> Result<(), IpamError> {
        let known = known.cloned();
        let seen = highest_seen(&self.hints);
        self.note(id, Task::Release { known, seen }, now)
    }

    pub(super) fn note(
        &self,
        id: &AttachmentId,
        task: Task,
        now: Timestamp,
    ) -> Result<(), IpamError> {
        let _lock = self.lock("lock", FlockArg::LockExclusive)?;
        let notes = self.notes()?;
        if notes.len() >= MOST {
            return Err(IpamError::JournalFull { count: notes.len() });
        }
        // Names sort in the order of writing, also when the clock is set back.
        let last = notes.last().and_then(|path| sequence(path)).unwrap_or(0);
        let wall = u128::try_from(now.as_nanosecond()).unwrap_or(0);
        let kind = match task {
            Task::Release { .. } => "json",
            Task::Sweep { .. } => SWEEP,
        };
        let name = format!("{:030}.{kind}", wall.max(last + 1));
        let note = Note {
            v: SchemaVersion,
            store: self.names.clone(),
            attachment: id.clone(),
            task,
        };
        checkpoint("ipam.journal.before");
        let folder = self.journal_folder();
        let written = write_durably(&folder, &name, &note.encode());
        checkpoint("ipam.journal.after");
        written.map_err(|source| IpamError::Disk {
            path: folder.join(name),
            source,
        })
    }

    /// Works off up to `most` notes, oldest first; stops where the store is away.
    ///
    /// Safe to repeat: every release guards on what it was written for. A note that cannot be
    /// read is kept and passed over. One whose release meets a record that must not be touched
    /// counts as one of `most`, and its turn comes again after all others'.
    ///
    /// # Errors
    /// [`IpamError`] of the first note that could not be worked off; it and the later ones stay.
    /// A record that must not be touched is none: the note stays, the later ones are worked off.
    pub async fn drain(&self, most: usize, now: Timestamp) -> Result<Drained, IpamError> {
        let mut drained = Drained::default();
        if self.notes()?.is_empty() {
            return Ok(drained);
        }
        // Whoever else is draining already does it for all; nobody waits for a slow store here.
        let how = FlockArg::LockExclusiveNonblock;
        let Some(_lock) = self.lock("drain", how)? else {
            return Ok(drained);
        };
        let mut refused = 0;
        for path in self.in_turn()? {
            if drained.done + refused >= most {
                break;
            }
            let Some(note) = read_note(&path)? else {
                continue;
            };
            if !self.is_named(&note.store) {
                drained.waiting += 1;
                continue;
            }
            let worked_off = match self.work_off(&note, now).await {
                // What stands in the way of this one stands in no other's.
                Err(IpamError::Record(error)) => {
                    tracing::warn!(%error, "a journalled release cannot be made");
                    put_back(&path);
                    refused += 1;
                    false
                }
                other => other?,
            };
            if worked_off {
                checkpoint("ipam.drain.before-unlink");
                fs::remove_file(&path).map_err(|source| IpamError::Disk { path, source })?;
                drained.done += 1;
            } else {
                drained.waiting += 1;
            }
        }
        Ok(drained)
    }

    /// Does what a note says; `false` when it is not due.
    async fn work_off(&self, note: &Note, now: Timestamp) -> Result<bool, IpamError> {
        let id = &note.attachment;
        match &note.task {
            Task::Release {
                known: Some(known),
                seen,
            } if known.revision.is_none() => {
                let incarnation = &known.incarnation;
                // An earlier life's addresses may not have come to it: they are free as well.
                self.release_unfinished(id, incarnation, Scope::UpTo(*seen), now)
                    .await?;
            }
            Task::Release {
                known: Some(known), ..
            } => {
                self.release_only(id, known, now).await?;
            }
            // What is newer is a life that this note does not know of.
            Task::Release { known: None, seen } => {
                self.release_where(id, None, Lives::UpTo(*seen), now)
                    .await?;
            }
            Task::Sweep {
                incarnation: _,
                boot_id,
                due_ms,
            } => {
                if !self.is_due(boot_id, *due_ms) {
                    return Ok(false);
                }
                self.sweep(id).await?;
            }
        }
        Ok(true)
    }

    /// Whether these are names of this store.
    pub(super) fn is_named(&self, store: &[String]) -> bool {
        store.iter().any(|name| self.names.contains(name))
    }

    /// The notes, oldest first, those that were put back last.
    fn in_turn(&self) -> Result<Vec<PathBuf>, IpamError> {
        let mut notes = self.notes()?;
        notes.sort_by_cached_key(|path| path.metadata().and_then(|m| m.modified()).ok());
        Ok(notes)
    }

    /// The notes, oldest first.
    pub(super) fn notes(&self) -> Result<Vec<PathBuf>, IpamError> {
        let folder = self.journal_folder();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(IpamError::Disk {
                    path: folder,
                    source,
                });
            }
        };
        let mut notes: Vec<_> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "json")
            })
            .collect();
        notes.sort();
        Ok(notes)
    }

    /// `None` when somebody else has the lock and `how` does not wait.
    pub(super) fn lock(&self, name: &str, how: FlockArg) -> Result<Option<Flock<File>>, IpamError> {
        let path = self.journal_folder().join(name);
        let locked = lock_file::open(&path).and_then(|file| match Flock::lock(file, how) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        });
        locked.map_err(|source| IpamError::Disk { path, source })
    }
}

/// The number a note's file name begins with.
fn sequence(path: &Path) -> Option<u128> {
    let (number, _) = path.file_name()?.to_str()?.split_once('.')?;
    number.parse().ok()
}

/// Whether it is a note to remove what is in a late transaction's way; told without reading it.
pub(super) fn is_sweep(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|path| path.ends_with(&format!(".{SWEEP}")))
}

/// Lets all other notes have their turn first. The name stays, for those who look for the note.
fn put_back(path: &Path) {
    let (read, now) = (TimeSpec::UTIME_OMIT, TimeSpec::UTIME_NOW);
    let touched = utimensat(AT_FDCWD, path, &read, &now, UtimensatFlags::FollowSymlink);
    if let Err(error) = touched {
        tracing::warn!(path = %path.display(), %error, "a note keeps its turn");
    }
}

/// `None` when the note is gone or cannot be read; it then stays for an operator to look at.
pub(super) fn read_note(path: &Path) -> Result<Option<Note>, IpamError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Note::decode(path.display(), &bytes)
            .inspect_err(|error| tracing::warn!(%error, "a journalled release cannot be read"))
            .ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IpamError::Disk {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Writes a whole file that survives a power cut, or none.
fn write_durably(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let fresh = folder.join(format!("{name}.new"));
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join(name))?;
    File::open(folder)?.sync_all()
}
