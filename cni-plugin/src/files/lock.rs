//! Waiting for a file's lock, for as long as the caller can.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use berth_ipam::{lock_file, uptime_ms};
use berth_types::AttachmentId;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::clock::pause;
use crate::spec::{CniError, Code};

/// For how long a call waits for another on the same attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as a call may well take.
    Long,
    /// Only a moment: the caller holds another lock meanwhile.
    Short,
    /// Not at all: what another call works on is its business.
    None,
}

impl Patience {
    const fn milliseconds(self) -> u64 {
        match self {
            Self::Long => 20_000,
            Self::Short => 500,
            Self::None => 0,
        }
    }
}

/// Locks the file at `path` and makes sure that it is still the one there: whoever had the lock
/// before may have removed it.
pub(super) fn lock_linked(
    path: &Path,
    id: &AttachmentId,
    patience: Patience,
) -> Result<Flock<File>, CniError> {
    let patience_ms = patience.milliseconds();
    let begun = uptime_ms();
    let failed = |error: io::Error| CniError::io(path.display(), &error);
    let mut file = lock_file::open(path).map_err(failed)?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => {
                let held = lock.metadata().map_err(failed)?.ino();
                if fs::metadata(path).is_ok_and(|there| there.ino() == held) {
                    return Ok(lock);
                }
                file = lock_file::open(path).map_err(failed)?;
            }
            Err((unlocked, Errno::EWOULDBLOCK)) => {
                file = unlocked;
                if uptime_ms().saturating_sub(begun) > patience_ms {
                    let message =
                        format!("another call works on {id} for more than {patience_ms} ms");
                    return Err(CniError::new(Code::TryAgain, message)
                        .details("see what that call waits for; the runtime tries again"));
                }
                pause();
            }
            Err((_, errno)) => return Err(failed(errno.into())),
        }
    }
}
