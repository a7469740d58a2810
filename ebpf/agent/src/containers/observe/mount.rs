//! Where the hierarchy of cgroups is mounted.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The inode of the root of a hierarchy, which no other folder of it has.
const ROOT_INODE: u64 = 1;

/// The unified hierarchy of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where its root is mounted.
    pub root: PathBuf,
    /// Whether the older kind is mounted beside it, so that processes may be in that alone.
    pub hybrid: bool,
    /// Whether `net_cls` or `net_prio` is: before Linux 5.15 a socket that one of them had tagged
    /// counted as the root's.
    pub tagging: bool,
}

/// Why containers cannot be told apart on this node.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The list of mounts cannot be read.
    #[error("cannot read /proc/self/mountinfo")]
    Unreadable(#[source] io::Error),
    /// There is none.
    #[error("no hierarchy of cgroup2 is mounted")]
    Absent,
    /// Only a part of it can be seen from here.
    #[error("the cgroup2 at {0:?} is not the root of the node's hierarchy")]
    Partial(PathBuf),
}

impl MountError {
    /// One sentence telling the operator what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "mount /proc",
            Self::Absent => {
                "run `mount -t cgroup2 none /sys/fs/cgroup` on the node, or use --containers=off"
            }
            Self::Partial(_) => {
                "let the agent share the node's cgroup namespace and see its /sys/fs/cgroup, or use \
                 --containers=off"
            }
        }
    }
}

impl Hierarchy {
    /// Finds the one that this process sees.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn find() -> Result<Self, MountError> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(MountError::Unreadable)?;
        let found = parse(&mounts)?;
        // A private cgroup namespace calls its own part the root.
        let inode = fs::metadata(&found.root).map(|root| root.ino());
        match inode {
            Ok(ROOT_INODE) => Ok(found),
            _ => Err(MountError::Partial(found.root)),
        }
    }

    /// Whether a socket may count as the root's, although its container has a cgroup, under the
    /// kernel of `release`.
    pub fn misplaces_sockets(&self, release: &str) -> bool {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok());
        let version = (number().unwrap_or(0), number().unwrap_or(0));
        self.tagging && version < (5, 15)
    }
}

/// A line of mountinfo, as far as it matters here.
struct Mount {
    root: String,
    point: PathBuf,
    kind: String,
    options: String,
}

fn parse(mounts: &str) -> Result<Hierarchy, MountError> {
    let mounts: Vec<Mount> = mounts.lines().filter_map(line).collect();
    let older = |mount: &&Mount| mount.kind == "cgroup";
    let unified: Vec<&Mount> = mounts
        .iter()
        .filter(|mount| mount.kind == "cgroup2")
        .collect();
    let Some(found) = unified.iter().find(|mount| mount.root == "/") else {
        return Err(match unified.first() {
            Some(mount) => MountError::Partial(mount.point.clone()),
            None => MountError::Absent,
        });
    };
    let tags = |mount: &Mount| {
        mount
            .options
            .split(',')
            .any(|option| option == "net_cls" || option == "net_prio")
    };
    Ok(Hierarchy {
        root: found.point.clone(),
        hybrid: mounts.iter().any(|mount| older(&mount)),
        tagging: mounts.iter().filter(older).any(tags),
    })
}

/// proc(5): id, parent, device, root, mount point, options, optional fields, `-`, type, source,
/// options of the file system.
fn line(line: &str) -> Option<Mount> {
    let (before, behind) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point) = (before.next()?, before.next()?);
    let mut behind = behind.split(' ');
    let (kind, options) = (behind.next()?, behind.nth(1).unwrap_or_default());
    Some(Mount {
        root: unescaped(root),
        point: Path::new(&unescaped(point)).to_owned(),
        kind: kind.to_owned(),
        options: options.to_owned(),
    })
}

/// Spaces, tabs, line ends and backslashes are written as three octal digits.
fn unescaped(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
25 30 0:23 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
26 25 0:24 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu
27 25 0:25 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
28 25 0:26 / /sys/fs/cgroup/net_cls,net_prio rw - cgroup cgroup rw,net_cls,net_prio
";

    #[test]
    fn the_hierarchy_is_found_beside_older_ones() {
        let found = parse(HYBRID).unwrap();
        assert_eq!(found.root, Path::new("/sys/fs/cgroup/unified"));
        assert!(found.hybrid && found.tagging);
        assert!(found.misplaces_sockets("5.10.0-28-amd64"));
        assert!(!found.misplaces_sockets("5.15.0"));
        assert!(!found.misplaces_sockets("6.1.0-rc1"));
    }

    #[test]
    fn a_node_with_nothing_else_is_not_hybrid() {
        let found =
            parse("29 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n").unwrap();
        let root = PathBuf::from("/sys/fs/cgroup");
        let (hybrid, tagging) = (false, false);
        assert_eq!(
            found,
            Hierarchy {
                root,
                hybrid,
                tagging
            }
        );
        assert!(!found.misplaces_sockets("4.19"));
    }

    #[test]
    fn a_part_of_the_hierarchy_is_refused_with_its_place() {
        let part = "29 23 0:26 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        let error = parse(part).unwrap_err();
        assert!(error.to_string().contains("/sys/fs/cgroup"), "{error}");
        // Where the whole is mounted as well, that is taken.
        let both = format!("{part}31 23 0:26 / /run/berth/my\\040cgroups rw - cgroup2 cgroup rw\n");
        assert_eq!(
            parse(&both).unwrap().root,
            Path::new("/run/berth/my cgroups")
        );
    }

    #[test]
    fn a_node_without_is_told_so() {
        for mounts in [
            "",
            "nonsense",
            "1 2 - ",
            "25 30 0:23 / /sys rw - sysfs sysfs rw\n",
        ] {
            assert!(
                matches!(parse(mounts), Err(MountError::Absent)),
                "{mounts:?}"
            );
        }
    }

    #[test]
    fn this_machine_has_one() {
        let found = Hierarchy::find().expect("mount cgroup2 to run this test");
        assert!(found.root.join("cgroup.procs").exists());
    }
}
