//! One agent on a node: a lock on the folder of the pins themselves.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// Held as long as this process works with the pins; gone with it, however it ends.
#[derive(Debug)]
pub struct Alone {
    _lock: Flock<File>,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another agent works with the pins.
    #[error("another traffic-agent works with {path:?}{who}", who = .pid.map_or_else(String::new, |pid| format!(" (process {pid})")))]
    Taken {
        /// The folder.
        path: PathBuf,
        /// The other's process, where it can be seen.
        pid: Option<u32>,
    },
    /// It cannot be taken.
    #[error("cannot lock {path:?}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LockError {
    /// One sentence telling the operator what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "stop it first; one agent counts all of a node",
            Self::Io { .. } => "look at the permissions of the path",
        }
    }
}

/// Takes the lock of the pins below `root`.
///
/// # Errors
/// [`LockError`].
pub fn alone(root: &Path) -> Result<Alone, LockError> {
    let path = root.join("berth");
    let io = |source| LockError::Io {
        path: path.clone(),
        source,
    };
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path);
    made.map_err(io)?;
    let folder = File::open(&path).map_err(io)?;
    let inode = folder.metadata().map_err(io)?.ino();
    match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Alone { _lock: lock }),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(LockError::Taken {
            path: path.clone(),
            pid: holder(inode),
        }),
        Err((_, errno)) => Err(io(errno.into())),
    }
}

/// The process with the lock, as `/proc/locks` tells: `1: FLOCK ADVISORY WRITE PID MA:MI:INODE …`.
fn holder(inode: u64) -> Option<u32> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let with_inode = |line: &&str| {
        let file = line.split_whitespace().nth(5);
        file.and_then(|file| file.rsplit(':').next()) == Some(&inode.to_string())
            && line.contains("FLOCK")
    };
    let line = locks.lines().find(with_inode)?;
    let pid = line.split_whitespace().nth(4)?.parse().ok()?;
    (pid != 0).then_some(pid)
}
