//! Cgroups of tests: what a test makes, or has a runtime make, is below one name that is removed with it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where the controllers' hierarchies are mounted.
const MOUNTS: &str = "/sys/fs/cgroup";

/// What the names begin with.
const PREFIX: &str = "berth-e2e-";

/// A name in every hierarchy, removed in all on drop, when its processes have ended. In the unified one
/// it is a cgroup from the beginning.
///
/// Those of tests that were killed are removed when the next one is made.
#[derive(Debug)]
pub struct Cgroup {
    name: String,
    /// Tells others that it is somebody's, also those that cannot see this process.
    _lock: File,
}

impl Cgroup {
    /// A name that nobody has. A runtime makes its folders in the hierarchies of controllers.
    ///
    /// # Panics
    /// Without a unified hierarchy, or the privilege to make cgroups in it.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        sweep();
        // Others may have the same process id, in a namespace of theirs.
        let ids = fs::metadata("/proc/self/ns/pid").expect("a process namespace");
        let (ids, id) = (ids.ino(), std::process::id());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{ids}-{id}-{number}");
        let lock = made(&unified().join(&name));
        Self { name, _lock: lock }
    }

    /// The path below every hierarchy: `/name`.
    pub fn path(&self) -> String {
        format!("/{}", self.name)
    }

    /// Makes the cgroup `path` below it in the unified hierarchy, with those in between.
    ///
    /// # Panics
    /// When the kernel makes none.
    pub fn make(&self, path: &str) -> PathBuf {
        let made = unified().join(&self.name).join(path);
        fs::create_dir_all(&made).expect("make a cgroup");
        made
    }

    /// The cgroups of containers that exist below it just now, in any hierarchy.
    pub fn children(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = everywhere(&self.name)
            .iter()
            .flat_map(|parent| folders(parent))
            .collect();
        found.sort();
        found
    }
}

impl Default for Cgroup {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let parents = everywhere(&self.name);
        // A process that has just ended may be counted for a moment longer.
        crate::wait::becomes_true(Duration::from_secs(10), || {
            let gone = parents.iter().filter(|parent| remove(parent));
            gone.count() == parents.len()
        });
    }
}

/// Makes the cgroup at `path`, locked.
fn made(path: &Path) -> File {
    loop {
        fs::create_dir_all(path).expect("make a cgroup (run as root)");
        // Whoever sweeps may have removed it before it is locked.
        let Ok(folder) = File::open(path) else {
            continue;
        };
        folder.lock().expect("lock the cgroup");
        if path.exists() {
            return folder;
        }
    }
}

/// Removes what tests left behind that have ended.
fn sweep() {
    for left in folders(unified()) {
        let name = left.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        if File::open(&left).is_ok_and(|folder| folder.try_lock().is_ok()) {
            for folder in everywhere(name) {
                remove(&folder);
            }
        }
    }
}

/// The root of the unified hierarchy.
///
/// # Panics
/// When there is none.
pub fn unified() -> &'static Path {
    let mut roots = ["/sys/fs/cgroup/unified", MOUNTS]
        .into_iter()
        .map(Path::new);
    roots
        .find(|path| path.join("cgroup.procs").exists())
        .expect("mount cgroup2 to run this test")
}

/// The folders of `name` in every hierarchy: one of each controller, and the unified one, or that of a
/// machine that has nothing else.
fn everywhere(name: &str) -> Vec<PathBuf> {
    let root = Path::new(MOUNTS);
    let roots = if root == unified() {
        vec![root.to_owned()]
    } else {
        folders(root)
    };
    roots.into_iter().map(|root| root.join(name)).collect()
}

/// The folders directly below `parent`; none when there is no `parent`.
fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Removes a cgroup with those below it, innermost first; whether it is gone. One with processes
/// stays.
pub fn remove(cgroup: &Path) -> bool {
    for child in folders(cgroup) {
        remove(&child);
    }
    drop(fs::remove_dir(cgroup));
    !cgroup.exists()
}
