//! One PID namespace at a time.
//!
//! LMDB finds out whether a reader or the holder of its lock is alive by process id, and an id
//! means something only within its PID namespace. Every user of a folder therefore holds a shared
//! lock on `users.lock`, whose content says which boot and PID namespace the users belong to.
//! Others may take over only under an exclusive lock, that is, when there is no user at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Tries to take over before giving up, and the pause between them: half a second in all. Others
/// trying hold the lock for microseconds, users for as long as they run.
const TRIES: u32 = 250;
const PAUSE: Duration = Duration::from_millis(2);

/// Registers this process as a user of `folder`. It is one until the file is closed.
///
/// # Errors
/// What is in the way, for people.
pub(super) fn register(folder: &Path) -> Result<File, String> {
    let path = folder.join("users.lock");
    let said = |error: io::Error| format!("{}: {error}", path.display());
    let own = identity().map_err(|error| format!("cannot tell the PID namespace: {error}"))?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(said)?;
    for _ in 0..TRIES {
        file.lock_shared().map_err(said)?;
        if content(&file).map_err(said)? == own {
            return Ok(file);
        }
        file.unlock().map_err(said)?;
        match file.try_lock() {
            Ok(()) => take_over(&file, &own).map_err(said)?,
            Err(TryLockError::WouldBlock) => pause(),
            Err(TryLockError::Error(error)) => return Err(said(error)),
        }
    }
    let other = content(&file).map_err(said)?;
    Err(format!(
        "it is in use by processes of another PID namespace ({}, ours is {own}); \
         end them, or give this one a folder of its own",
        other.escape_debug(),
    ))
}

/// Boot id and the namespace's inode: the latter alone is reused after a reboot.
fn identity() -> io::Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let namespace = fs::metadata("/proc/self/ns/pid")?.ino();
    Ok(format!("boot {}, namespace {namespace}", boot.trim()))
}

/// The recorded identity, empty when there is none yet.
fn content(file: &File) -> io::Result<String> {
    let mut buffer = [0; 128];
    let size = file.read_at(&mut buffer, 0)?;
    Ok(String::from_utf8_lossy(buffer.get(..size).unwrap_or_default()).into_owned())
}

/// Records `own` and gives up the exclusive lock; the caller locks again and looks.
fn take_over(file: &File, own: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(own.as_bytes(), 0)?;
    file.unlock()
}

#[expect(
    clippy::disallowed_methods,
    reason = "bounded by TRIES; opening is not async"
)]
fn pause() {
    thread::sleep(PAUSE);
}
