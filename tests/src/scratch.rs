//! The test process's own directory, and the sweep that removes those of processes long dead.
//!
//! A process works below `<tmp>/berth-e2e/<pid>-<start time>/`, which goes away with the last
//! [`Scratch`] in it. A killed process leaves its directory and the mounts in it; the next
//! process to start finds that no process of that id and start time lives, and removes both.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

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

/// The one directory of this process.
#[derive(Debug)]
struct RunDir {
    path: PathBuf,
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
        let pid = std::process::id();
        let started = start_time(pid).expect("/proc/self/stat has a start time");
        let path = base.join(format!("{pid}-{started}"));
        // The last owner of a directory of this name may still be removing it.
        if let Err(e) = fs::create_dir(&path) {
            assert!(
                e.kind() == ErrorKind::AlreadyExists,
                "make {}: {e}",
                path.display()
            );
        }
        let run = Arc::new(Self { path });
        *current = Arc::downgrade(&run);
        run
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // Only when empty: another thread may have begun to use the same name again.
        drop(fs::remove_dir(&self.path));
    }
}

/// Removes the directories below `base` whose process is gone.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|n| n.split_once('-'));
        let Some((pid, started)) = owner else {
            continue;
        };
        let lives = pid
            .parse()
            .ok()
            .and_then(start_time)
            .is_some_and(|s| s == started);
        if !lives {
            remove(&entry.path());
        }
    }
}

/// When process `pid` started, in clock ticks since boot, as the kernel spells it.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name, in parentheses, may hold spaces; the 22nd field is the 20th after it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
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
        // Process 1 lives, but started at another time than 1 tick after boot.
        let dead = base.join("1-1/0-node");
        let living = base.join(format!("1-{}/0-node", start_time(1).unwrap()));
        for folder in [&dead, &living] {
            fs::create_dir_all(folder).unwrap();
        }
        let mounted = dead.join("netns");
        fs::write(&mounted, "").unwrap();
        let mut mount = Command::new("mount");
        mount.args(["--bind", "/proc/self/ns/net"]).arg(&mounted);
        crate::process::output(&mut mount);

        sweep(base);

        assert!(
            !base.join("1-1").exists(),
            "swept together with the mount in it"
        );
        assert!(living.exists());
    }
}
