//! The test process's own directory, and the sweep that removes those of processes long dead.
//!
//! A process works below `<tmp>/berth-e2e/<pid>-<number>/`, which goes away with the last
//! [`Scratch`] in it. A killed process leaves its directory and the mounts in it; the next
//! process to start finds that nobody holds the lock in it, and removes both. A lock, and no
//! process id: those of another process namespace say nothing here.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, umount2};

/// A directory of the test's own, removed on drop with everything in it and mounted on it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Keeps the process's directory until the last scratch in it is gone.
    _run: Arc<RunDir>,
}

impl Scratch {
    /// Makes an empty directory whose name starts with a number, unique in this process, and
    /// ends in `name`. The path stays short enough for Unix sockets in it.
    ///
    /// # Panics
    /// When the directory cannot be made.
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let run = RunDir::current();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = run.path.join(format!("{number}-{name}"));
        fs::create_dir(&path).unwrap_or_else(|e| panic!("make {}: {e}", path.display()));
        Self { path, _run: run }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` inside the directory; nothing is made.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// What the name of a directory without its lock begins with.
const UNLOCKED: &str = "new-";

/// The one directory of this process.
#[derive(Debug)]
struct RunDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl RunDir {
    /// The directory in use, or a fresh one; a fresh one is preceded by the sweep.
    fn current() -> Arc<Self> {
        static CURRENT: Mutex<Weak<RunDir>> = Mutex::new(Weak::new());
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = current.upgrade() {
            return run;
        }
        let base = std::env::temp_dir().join("berth-e2e");
        fs::create_dir_all(&base).unwrap_or_else(|e| panic!("make {}: {e}", base.display()));
        sweep(&base);
        let run = Arc::new(Self::fresh(&base));
        *current = Arc::downgrade(&run);
        run
    }

    /// A new directory below `base`, which has its name only once it is locked.
    fn fresh(base: &Path) -> Self {
        let pid = std::process::id();
        for number in 0.. {
            let path = base.join(format!("{pid}-{number}"));
            let unlocked = base.join(format!("{UNLOCKED}{pid}-{number}"));
            // Processes of several process namespaces may have one id.
            if path.exists() || fs::create_dir(&unlocked).is_err() {
                continue;
            }
            let lock = locked(&unlocked).expect("lock a directory of this process");
            if fs::rename(&unlocked, &path).is_ok() {
                return Self { path, _lock: lock };
            }
            remove(&unlocked);
        }
        panic!("no name below {} is free", base.display())
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// The lock in `folder`, unless somebody holds it.
fn locked(folder: &Path) -> Option<Flock<File>> {
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(folder.join("lock"))
        .ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

/// Removes the directories below `base` whose process is gone.
fn sweep(base: &Path) {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    let named = |name: &std::ffi::OsStr| !name.to_string_lossy().starts_with(UNLOCKED);
    for entry in entries.filter(|entry| named(&entry.file_name())) {
        if let Some(_ours) = locked(&entry.path()) {
            remove(&entry.path());
        }
    }
}

/// Removes `path` with everything in it, taking down the mounts first, innermost first.
fn remove(path: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(Path::new);
    for mount in below
        .filter(|mount| mount.starts_with(path))
        .collect::<Vec<_>>()
        .iter()
        .rev()
    {
        // Another process may sweep the same leftovers: whoever comes second finds nothing.
        umount2(*mount, MntFlags::MNT_DETACH).unwrap_or_default();
    }
    drop(fs::remove_dir_all(path));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_a_killed_test_leaves_behind_is_swept_and_the_living_are_left_alone() {
        let scratch = Scratch::new("base");
        let base = scratch.path();
        let living = RunDir::fresh(base);
        let dead = base.join("1-1");
        fs::create_dir_all(dead.join("0-node")).unwrap();
        let mounted = dead.join("0-node/netns");
        fs::write(&mounted, "").unwrap();
        let mut mount = Command::new("mount");
        mount.args(["--bind", "/proc/self/ns/net"]).arg(&mounted);
        crate::process::output(&mut mount);

        sweep(base);

        assert!(!dead.exists(), "swept together with the mount in it");
        assert!(living.path.exists());
    }
}
