//! The cgroups that runtimes make for a test's containers, below one parent that is removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::scratch::Scratch;

/// Where the controllers' hierarchies are mounted.
const MOUNTS: &str = "/sys/fs/cgroup";

/// What the parents' names begin with.
const PREFIX: &str = "berth-e2e-";

/// A name below which a runtime makes its cgroups; removed in every hierarchy on drop.
///
/// The parents of tests that were killed are removed when the next one is made: the name holds
/// the process id, and the processes have ended with their namespace.
#[derive(Debug)]
pub struct Cgroup {
    name: String,
}

impl Cgroup {
    /// A name derived from `scratch`, which is unique. The runtime makes the folders.
    ///
    /// # Panics
    /// When the path of `scratch` is not that of a scratch directory in UTF-8.
    pub fn new(scratch: &Scratch) -> Self {
        sweep();
        let mut parts = scratch.path().components().rev();
        let mut part = || parts.next().and_then(|part| part.as_os_str().to_str());
        let (own, run) = (part().expect("a name"), part().expect("a parent"));
        Self {
            name: format!("{PREFIX}{run}-{own}"),
        }
    }

    /// The path below every hierarchy: `/name`.
    pub fn path(&self) -> String {
        format!("/{}", self.name)
    }

    /// The cgroups of containers that exist below it just now, in any hierarchy.
    pub fn children(&self) -> Vec<PathBuf> {
        let parents = hierarchies().into_iter().map(|root| root.join(&self.name));
        let mut found: Vec<PathBuf> = parents.flat_map(|parent| folders(&parent)).collect();
        found.sort();
        found
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let parents: Vec<PathBuf> = hierarchies()
            .into_iter()
            .map(|root| root.join(&self.name))
            .collect();
        // A process that has just ended may be counted for a moment longer.
        crate::wait::becomes_true(Duration::from_secs(2), || {
            let gone = parents.iter().filter(|parent| remove(parent));
            gone.count() == parents.len()
        });
    }
}

/// Removes what tests left behind whose process is gone.
fn sweep() {
    for left in hierarchies().iter().flat_map(|root| folders(root)) {
        let name = left.file_name().and_then(|name| name.to_str());
        let pid = name
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(&left);
        }
    }
}

/// The roots of all hierarchies: one folder per controller, and `unified`, or the one of a
/// machine that has nothing else.
fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from(MOUNTS);
    if root.join("cgroup.procs").exists() {
        return vec![root];
    }
    folders(&root)
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
