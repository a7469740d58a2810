//! Releases that are not to be made after all: their attachment is about to live again.

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::PathBuf;

use berth_store::Store;
use berth_types::{AttachmentId, PoolName};
use nix::fcntl::{Flock, FlockArg};

use super::Known;
use super::journal::{Note, Task, read_note};
use crate::{Ipam, IpamError};

/// A release that waits, and what it is to free.
type Waiting = (PathBuf, Option<Known>);

/// Releases that are not made as long as this is kept.
#[derive(Debug)]
pub(crate) struct HeldBack {
    /// Those that were found first.
    notes: Vec<Waiting>,
    /// Those that nobody has made meanwhile.
    left: Vec<Waiting>,
    _lock: Flock<File>,
}

impl HeldBack {
    /// The addresses of that pool that the newest of them is to free.
    pub(crate) fn addresses_of(&self, pool: &PoolName) -> Vec<IpAddr> {
        let known = self.notes.iter().filter_map(|(_, known)| known.as_ref());
        let of_pool = |known: &Known| -> Vec<IpAddr> {
            let addresses = known.addresses.iter();
            let of_pool = addresses.filter(|(_, record)| record.pool == *pool);
            of_pool.map(|(address, _)| *address).collect()
        };
        let newest = known.rev().map(of_pool).find(|found| !found.is_empty());
        newest.unwrap_or_default()
    }

    /// Forgets them: the attachment lives again, and its new life has what they would free.
    ///
    /// One that cannot be removed is harmless: it frees nothing of a later life.
    pub(crate) fn forget(self) {
        for (path, _) in &self.left {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "a journalled release stays");
            }
        }
    }
}

impl<S: Store> Ipam<S> {
    /// Holds back the releases that wait for `id`, which is about to live again.
    ///
    /// While the answer is kept, nobody drains. `None` when no release waits.
    pub(crate) fn hold_back(&self, id: &AttachmentId) -> Result<Option<HeldBack>, IpamError> {
        let notes = self.releases_of(id)?;
        if notes.is_empty() {
            return Ok(None);
        }
        let lock = self.lock("drain", FlockArg::LockExclusive)?;
        // Whoever drained meanwhile has worked off some of them; their addresses may still be free.
        let left = self.releases_of(id)?;
        Ok(lock.map(|lock| HeldBack {
            notes,
            left,
            _lock: lock,
        }))
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
}
