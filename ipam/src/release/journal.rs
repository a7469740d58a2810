//! Releases that wait for the store to return: one small file each, made in order.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use berth_store::{Compare, Outcome, Read, Revision, Store, Txn, Write};
use berth_types::{
    AttachmentId, AttachmentRecord, Incarnation, Phase, PoolName, Record, SchemaVersion, keys,
};
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::{Known, Scope};
use crate::fault::checkpoint;
use crate::hint::{highest_seen, open_lock};
use crate::record::parse;
use crate::{Ipam, IpamError};

/// How many notes a node keeps before it refuses to take more.
const MOST: usize = 4096;
/// How long a transaction whose sender died may still be under way, in seconds of uptime.
///
/// Far above the deadline that goes with every request to the store.
const LATE_FOR_S: u64 = 300;

/// A note of something to be done when the store answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    v: SchemaVersion,
    /// The store it is for: any of these names.
    store: Vec<String>,
    attachment: AttachmentId,
    task: Task,
}

impl Record for Note {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Task {
    /// Release this life of the attachment. Where the node no longer knew which, what the store had
    /// of it up to revision `seen`, the newest that the node knew of.
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

    /// Notes that the record in a late transaction's way is to be removed when it is due.
    pub(super) fn journal_sweep(
        &self,
        id: &AttachmentId,
        incarnation: &Incarnation,
        now: Timestamp,
    ) -> Result<(), IpamError> {
        let task = Task::Sweep {
            incarnation: incarnation.clone(),
            boot_id: self.boot_id.clone(),
            due_ms: self.monotonic_ms() + LATE_FOR_S * 1000,
        };
        self.note(id, task, now)
    }

    fn note(&self, id: &AttachmentId, task: Task, now: Timestamp) -> Result<(), IpamError> {
        let _lock = self.lock("lock", FlockArg::LockExclusive)?;
        let notes = self.notes()?;
        if notes.len() >= MOST {
            return Err(IpamError::JournalFull { count: notes.len() });
        }
        // Names sort in the order of writing, also when the clock is set back.
        let last = notes.last().and_then(|path| sequence(path)).unwrap_or(0);
        let wall = u128::try_from(now.as_nanosecond()).unwrap_or(0);
        let name = format!("{:030}.json", wall.max(last + 1));
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
    /// read is kept and passed over.
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
        for path in self.notes()? {
            if drained.done >= most {
                break;
            }
            let Some(note) = read_note(&path)? else {
                continue;
            };
            if !note.store.iter().any(|name| self.names.contains(name)) {
                drained.waiting += 1;
                continue;
            }
            let worked_off = match self.work_off(&note, now).await {
                // What stands in the way of this one stands in no other's.
                Err(IpamError::Record(error)) => {
                    tracing::warn!(%error, "a journalled release cannot be made");
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

    /// Holds back the releases that wait for `id`, which is about to live again.
    ///
    /// While the answer is kept, nobody drains. `None` when no release waits.
    pub(crate) fn hold_back(&self, id: &AttachmentId) -> Result<Option<HeldBack>, IpamError> {
        if self.releases_of(id)?.is_empty() {
            return Ok(None);
        }
        let lock = self.lock("drain", FlockArg::LockExclusive)?;
        // Whoever drained meanwhile has worked off some of them.
        let notes = self.releases_of(id)?;
        Ok(lock
            .filter(|_| !notes.is_empty())
            .map(|lock| HeldBack { notes, _lock: lock }))
    }

    fn releases_of(&self, id: &AttachmentId) -> Result<Vec<Waiting>, IpamError> {
        let mut found = Vec::new();
        for path in self.notes()? {
            if let Some(Note {
                v: _,
                store: _,
                attachment,
                task: Task::Release { known, .. },
            }) = read_note(&path)?
                && attachment == *id
            {
                found.push((path, known));
            }
        }
        Ok(found)
    }

    /// Does what a note says; `false` when it is not due.
    async fn work_off(&self, note: &Note, now: Timestamp) -> Result<bool, IpamError> {
        let id = &note.attachment;
        match &note.task {
            Task::Release {
                known: Some(known), ..
            } if known.revision.is_none() => {
                let incarnation = &known.incarnation;
                self.release_unfinished(id, incarnation, Scope::Incarnation, now)
                    .await?;
            }
            Task::Release {
                known: Some(known), ..
            } => {
                self.release_only(id, known, now).await?;
            }
            Task::Release { known: None, seen } => {
                let standing = self.standing(id).await?.attachment;
                // What is newer is a life that this note does not know of.
                if standing.is_some_and(|(revision, _)| revision <= *seen) {
                    self.release(id, None, now).await?;
                }
            }
            Task::Sweep {
                incarnation,
                boot_id,
                due_ms,
            } => {
                if *boot_id == self.boot_id && self.monotonic_ms() < *due_ms {
                    return Ok(false);
                }
                self.sweep(id, incarnation).await?;
            }
        }
        Ok(true)
    }

    /// Removes the record that stands in the way of `incarnation`'s transaction.
    async fn sweep(&self, id: &AttachmentId, incarnation: &Incarnation) -> Result<(), IpamError> {
        let key = keys::attachment(id);
        let answer = self.store.read(&[Read::Get(key.as_str().into())]).await?;
        let found: Option<(Revision, AttachmentRecord)> = parse(&answer, 0)?;
        let Some((revision, record)) = found else {
            return Ok(());
        };
        if record.phase != Phase::Deleted || record.incarnation != *incarnation {
            return Ok(());
        }
        let txn = Txn {
            compares: vec![Compare::at(key.as_str(), revision)],
            writes: vec![Write::delete(key)],
            otherwise: Vec::new(),
        };
        match self.store.commit(&txn).await? {
            // Refused: a new life has replaced it.
            Outcome::Committed(_) | Outcome::Refused(_) => Ok(()),
        }
    }

    /// The notes, oldest first.
    fn notes(&self) -> Result<Vec<PathBuf>, IpamError> {
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
    fn lock(&self, name: &str, how: FlockArg) -> Result<Option<Flock<File>>, IpamError> {
        let path = self.journal_folder().join(name);
        let locked = open_lock(&path).and_then(|file| match Flock::lock(file, how) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        });
        locked.map_err(|source| IpamError::Disk { path, source })
    }
}

/// A release that waits, and what it is to free.
type Waiting = (PathBuf, Option<Known>);

/// Releases that are not made as long as this is kept.
#[derive(Debug)]
pub(crate) struct HeldBack {
    notes: Vec<Waiting>,
    _lock: Flock<File>,
}

impl HeldBack {
    /// The address of that pool that the newest of them is to free.
    pub(crate) fn address_of(&self, pool: &PoolName) -> Option<IpAddr> {
        let known = self
            .notes
            .iter()
            .rev()
            .filter_map(|(_, known)| known.as_ref());
        let mut addresses = known.flat_map(|known| &known.addresses);
        addresses
            .find(|(_, record)| record.pool == *pool)
            .map(|(address, _)| *address)
    }

    /// Forgets them: the attachment lives again, and its new life has what they would free.
    pub(crate) fn forget(self) -> Result<(), IpamError> {
        for (path, _) in &self.notes {
            fs::remove_file(path).map_err(|source| IpamError::Disk {
                path: path.clone(),
                source,
            })?;
        }
        Ok(())
    }
}

/// The number a note's file name begins with.
fn sequence(path: &Path) -> Option<u128> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// `None` when the note is gone or cannot be read; it then stays for an operator to look at.
fn read_note(path: &Path) -> Result<Option<Note>, IpamError> {
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
