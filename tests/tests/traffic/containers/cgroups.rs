//! Cgroups as a runtime makes them.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) use e2e::cgroup::remove;
use e2e::wait::becomes_true;

/// Where the unified hierarchy is.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/// What the test's part of it begins with.
const PREFIX: &str = "berth-split-";

/// A part of the hierarchy of the test's own. Removed on drop, when its processes have ended.
#[derive(Debug)]
pub(crate) struct Cgroups {
    root: PathBuf,
    /// Tells others that it is somebody's, also those that cannot see this process.
    _lock: File,
}

impl Cgroups {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unified = unified();
        sweep(unified);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Others may have the same process id, in a namespace of theirs.
        let ids = fs::metadata("/proc/self/ns/pid").expect("a process namespace");
        let (ids, id) = (ids.ino(), std::process::id());
        let root = unified.join(format!("{PREFIX}{ids}-{id}-{number}"));
        fs::create_dir(&root).expect("make a cgroup (run as root)");
        let lock = File::open(&root).expect("open the cgroup");
        lock.lock().expect("lock the cgroup");
        Self { root, _lock: lock }
    }

    /// Its path below the root of the hierarchy.
    pub(crate) fn path(&self) -> String {
        let name = self.root.file_name().expect("a name");
        format!("/{}", name.to_string_lossy())
    }

    /// Makes the cgroup `path`, which is relative to this one.
    pub(crate) fn make(&self, path: &str) -> PathBuf {
        let made = self.root.join(path);
        fs::create_dir_all(&made).expect("make a cgroup");
        made
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        becomes_true(Duration::from_secs(10), || remove(&self.root));
    }
}

/// The root of the unified hierarchy.
pub(crate) fn unified() -> &'static Path {
    let mut roots = UNIFIED.iter().map(Path::new);
    roots
        .find(|path| path.join("cgroup.procs").exists())
        .expect("mount cgroup2 to run this test")
}

/// Removes what tests left behind that have ended.
fn sweep(unified: &Path) {
    let entries = fs::read_dir(unified).into_iter().flatten().flatten();
    for entry in entries {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours && File::open(entry.path()).is_ok_and(|root| root.try_lock().is_ok()) {
            remove(&entry.path());
        }
    }
}
