//! Which network namespaces exist on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use berth_types::NetnsRef;
use nix::unistd::geteuid;

/// The inode numbers of all network namespaces that could be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// With where it is mounted, if it is.
    inodes: BTreeMap<u64, Option<PathBuf>>,
    /// Not all processes could be looked at, so one that is not among them may exist all the same.
    partial: bool,
}

impl Namespaces {
    /// Looks at every thread, and at every namespace that is mounted somewhere.
    ///
    /// What root may not look at has more rights than root, and is no container.
    pub fn find() -> Self {
        let mut found = Self {
            partial: !geteuid().is_root(),
            ..Self::default()
        };
        found
            .inodes
            .extend(mounted().map(|(inode, at)| (inode, Some(at))));
        let Ok(processes) = fs::read_dir("/proc") else {
            found.partial = true;
            return found;
        };
        for process in processes.filter_map(Result::ok) {
            // A process that is gone by now, or a file that is no process.
            let Ok(threads) = fs::read_dir(process.path().join("task")) else {
                continue;
            };
            for thread in threads.filter_map(Result::ok) {
                let there = fs::metadata(thread.path().join("ns/net")).ok();
                if let Some(there) = there {
                    found.inodes.entry(there.ino()).or_default();
                }
            }
        }
        found
    }

    /// Whether it may exist; `false` is proof that it is gone. The kernel uses inode numbers again,
    /// so `true` may be said of another.
    pub fn may_have(&self, netns: &NetnsRef) -> bool {
        let at_its_path = match fs::metadata(&netns.path) {
            Ok(there) => there.ino() == netns.inode,
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
        };
        self.partial || at_its_path || self.inodes.contains_key(&netns.inode)
    }

    /// Where the namespace of that inode number is mounted, if it is.
    pub fn mounted_at(&self, inode: u64) -> Option<&Path> {
        self.inodes.get(&inode)?.as_deref()
    }
}

/// Namespaces kept by a mount, as `ip netns` and container runtimes do.
fn mounted() -> impl Iterator<Item = (u64, PathBuf)> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let found: Vec<_> = mounts.lines().filter_map(mounted_namespace).collect();
    found.into_iter()
}

/// The namespace in a line of `mountinfo`, whose fourth field is then `net:[4026531840]`, and the
/// fifth where that is mounted. A path with blanks is escaped there and leads nowhere.
fn mounted_namespace(line: &str) -> Option<(u64, PathBuf)> {
    let mut fields = line.split(' ').skip(3);
    let (root, at) = (fields.next()?, fields.next()?);
    let inode = root
        .strip_prefix("net:[")?
        .strip_suffix(']')?
        .parse()
        .ok()?;
    Some((inode, at.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_namespace_is_read_from_its_line() {
        let line = "41 25 0:4 net:[4026532299] /run/netns/a rw shared:5 - nsfs nsfs rw";
        let at = PathBuf::from("/run/netns/a");
        assert_eq!(mounted_namespace(line), Some((4_026_532_299, at)));
        for other in [
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw",
            "41 25 0:4 mnt:[4026532299] /x rw - nsfs nsfs rw",
            "",
        ] {
            assert_eq!(mounted_namespace(other), None, "case: {other:?}");
        }
    }

    #[test]
    fn our_own_namespace_exists_and_one_of_no_kernel_does_not() {
        let own = fs::metadata("/proc/self/ns/net").unwrap().ino();
        let at = |path: &str, inode| NetnsRef {
            path: path.into(),
            inode,
        };
        let found = Namespaces::find();
        assert!(found.may_have(&at("/proc/self/ns/net", own)));
        assert!(found.may_have(&at("/moved/elsewhere", own)));
        assert!(!Namespaces::default().may_have(&at("/proc/self/ns/net", own + 1)));
        let partial = Namespaces {
            partial: true,
            ..Namespaces::default()
        };
        assert!(partial.may_have(&at("/gone", 1)), "cannot tell means live");
    }
}
