//! A hint kept in a file, for processes that live for milliseconds.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_store::Revision;
use berth_types::{PoolName, fnv1a};
use nix::fcntl::{Flock, FlockArg};

use super::{Hint, Memory};
use crate::{IpamError, lock_file};

/// The file of one pool's hint; shared by every process of the node.
///
/// An exclusive lock is held while it is read, changed and written, never over a request to the
/// store. It is written in place, which costs a file system on disk nothing at once; a checksum
/// at its head tells a file that a killed process left half written. Such a file, like any that
/// does not parse, counts as none.
#[derive(Clone, Debug)]
pub(crate) struct HintFile {
    path: PathBuf,
    /// Where a program that stays keeps what the file holds.
    memory: Option<Arc<Memory>>,
}

/// What a change of a hint gave.
#[derive(Debug)]
pub(crate) struct Updated<T> {
    /// The change's own answer.
    value: T,
    kept: Result<(), IpamError>,
}

impl<T> Updated<T> {
    /// The answer, when those who come later will see the change; else `None`.
    ///
    /// A hint that stays what it was would give the same wrong answer for ever.
    pub(crate) fn if_kept(self) -> Option<T> {
        self.kept
            .inspect_err(|error| tracing::warn!(%error, "a hint cannot be kept"))
            .ok()
            .map(|()| self.value)
    }

    /// The answer, kept or not: a hint that is not is only a worse hint.
    pub(crate) fn anyhow(self) -> T {
        if let Err(error) = self.kept {
            tracing::warn!(%error, "a hint cannot be kept");
        }
        self.value
    }
}

/// The length of the checksum's line.
pub(super) const HEAD: usize = 17;

impl HintFile {
    /// The hint of `pool` below `folder`, which is made when absent.
    pub(crate) fn new(folder: &Path, pool: &PoolName) -> Self {
        Self {
            path: folder.join(format!("{pool}.hint")),
            memory: None,
        }
    }

    /// The same, kept in `memory`.
    pub(crate) fn resident(folder: &Path, pool: &PoolName, memory: &Arc<Memory>) -> Self {
        Self {
            memory: Some(Arc::clone(memory)),
            ..Self::new(folder, pool)
        }
    }

    /// Changes the hint, alone, and writes it back.
    ///
    /// One that cannot be read is changed all the same, as an empty one.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Hint) -> T) -> Updated<T> {
        let (value, kept) = match &self.memory {
            Some(memory) => memory.update(&self.path, change),
            None => self.update_file(change),
        };
        let kept = kept.map_err(|source| IpamError::Disk {
            path: self.path.clone(),
            source,
        });
        Updated { value, kept }
    }

    /// What the hint says, as far as it can be read; changes nothing, and waits for nobody.
    pub(crate) fn peek(&self) -> Option<Hint> {
        parse(&fs::read(&self.path).ok()?)
    }

    fn update_file<T>(&self, change: impl FnOnce(&mut Hint) -> T) -> (T, io::Result<()>) {
        match lock(&self.path) {
            Ok((mut file, bytes)) => {
                let mut hint = parse(&bytes).unwrap_or_default();
                let value = change(&mut hint);
                (value, write(&mut file, &hint, bytes.len()).map(drop))
            }
            Err(error) => (change(&mut Hint::default()), Err(error)),
        }
    }
}

/// The file, locked, with what it holds.
pub(super) fn lock(path: &Path) -> io::Result<(Flock<File>, Vec<u8>)> {
    let file = lock_file::open(path)?;
    let mut file = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((file, bytes))
}

/// The highest revision that any hint in `folder` has seen; 0 when there is none.
pub(crate) fn highest_seen(folder: &Path) -> Revision {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let hints = files.filter_map(|file| parse(&fs::read(file.path()).ok()?));
    hints
        .map(|hint| hint.high)
        .max()
        .unwrap_or(Revision::ABSENT)
}

pub(super) fn parse(bytes: &[u8]) -> Option<Hint> {
    let (head, body) = bytes.split_at_checked(HEAD)?;
    let intact = head == checksum(body).as_bytes();
    if intact {
        serde_json::from_slice(body).ok()
    } else {
        None
    }
}

/// Writes the hint over `former` bytes; the first line of what it wrote.
pub(super) fn write(file: &mut File, hint: &Hint, former: usize) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(hint)?;
    let mut bytes = checksum(&body).into_bytes();
    bytes.extend(body);
    file.rewind()?;
    file.write_all(&bytes)?;
    if bytes.len() < former {
        file.set_len(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
    }
    bytes.truncate(HEAD);
    Ok(bytes)
}

/// A line that only this body has.
fn checksum(body: &[u8]) -> String {
    format!("{:016x}\n", fnv1a(body))
}
