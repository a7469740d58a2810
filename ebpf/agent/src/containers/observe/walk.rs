//! The pods and containers of a hierarchy of cgroups.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};

use crate::containers::identity::{Cgroup, PodKey, Role, identify};

/// Most folders that are looked into: a container may make as many as it likes, but below itself.
const FOLDERS: usize = 65_536;

/// A container of a pod, or its sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The runtime's id.
    pub id: String,
    /// The cgroup's, which is its inode.
    pub cgroup: u64,
    /// What it does.
    pub role: Role,
}

/// A pod's cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodCgroup {
    /// Where it is.
    pub path: PathBuf,
    /// Its id, which is its inode.
    pub cgroup: u64,
    /// How many levels below the root of the hierarchy it is.
    pub level: u32,
    /// Whether any process is in it or below.
    pub populated: bool,
    /// What is directly below, by its runtime's ids.
    pub children: Vec<Child>,
}

/// What there is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The pods. Of two of one name the one nearer to the root counts.
    pub pods: BTreeMap<PodKey, PodCgroup>,
    /// Pods whose containers are side by side with no cgroup above them that is theirs alone.
    pub scattered: BTreeSet<PodKey>,
    /// There were more folders than are looked into.
    pub cut: bool,
}

/// Looks at `from` and what is below, in the hierarchy that is mounted at `root`. Every folder in
/// which pods or containers may appear is given to `before` before it is looked into.
///
/// # Errors
/// When `from` cannot be read. What vanishes meanwhile is left out.
pub fn walk(root: &Path, from: &Path, mut before: impl FnMut(&Path)) -> io::Result<Tree> {
    let mut tree = Tree::default();
    before(from);
    // Nearest to the root first, and within containers last: those may call theirs what they like.
    let (mut open, mut within) = (VecDeque::from(folders(from)?), VecDeque::new());
    let mut seen = 0_usize;
    while let Some((path, inode)) = open.pop_front().or_else(|| within.pop_front()) {
        seen += 1;
        if seen > FOLDERS {
            tree.cut = true;
            break;
        }
        let Some(relative) = relative(root, &path) else {
            continue;
        };
        match identify(&relative) {
            Cgroup::Pod { pod, level } => {
                if tree.pods.contains_key(&pod) {
                    continue;
                }
                before(&path);
                let found = look(root, path, inode, level);
                tree.pods.insert(pod, found);
            }
            Cgroup::Other => {
                before(&path);
                open.extend(folders(&path).unwrap_or_default());
            }
            Cgroup::Container { pod: Some(pod), .. } => {
                tree.scattered.insert(pod);
            }
            // A machine in a container, whose kubelet has pods of its own.
            Cgroup::Container { pod: None, .. } | Cgroup::Inner { pod: None, .. } => {
                let inner = folders(&path).unwrap_or_default();
                within.extend(inner.into_iter().filter(|(path, _)| leads_to_pods(path)));
            }
            Cgroup::Inner { pod: Some(_), .. } => {}
        }
    }
    Ok(tree)
}

fn look(root: &Path, path: PathBuf, cgroup: u64, level: u32) -> PodCgroup {
    let mut children: Vec<Child> = folders(&path)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(path, cgroup)| match identify(&relative(root, &path)?) {
            Cgroup::Container { id, role, .. } => Some(Child { id, cgroup, role }),
            _ => None,
        })
        .collect();
    children.sort_by(|a, b| (&a.id, a.cgroup).cmp(&(&b.id, b.cgroup)));
    PodCgroup {
        populated: populated(&path),
        path,
        cgroup,
        level,
        children,
    }
}

/// The folders in `path` with their inodes.
fn folders(path: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let entries = fs::read_dir(path)?.flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Ok(folders.map(|entry| (entry.path(), entry.ino())).collect())
}

/// A path that is not text is nobody's that we know.
fn relative(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}

/// Whether a folder below a machine in a container may be its kubelet's.
fn leads_to_pods(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("kube") || name.contains("pod"))
}

fn populated(pod: &Path) -> bool {
    let events = fs::read_to_string(pod.join("cgroup.events")).unwrap_or_default();
    events.lines().any(|line| line == "populated 1")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const UID: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa11111111111111111111111111111111";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb22222222222222222222222222222222";

    /// Plain folders serve: nothing here is asked of the kernel but names and inodes.
    fn tree(paths: &[String]) -> (tempfile::TempDir, Tree, Vec<PathBuf>) {
        let root = tempfile::tempdir().unwrap();
        for path in paths {
            fs::create_dir_all(root.path().join(path)).unwrap();
        }
        let mut watched = Vec::new();
        let found = walk(root.path(), root.path(), |path| {
            watched.push(path.to_owned());
        })
        .unwrap();
        (root, found, watched)
    }

    fn id_of(path: &Path) -> io::Result<u64> {
        fs::metadata(path).map(|found| found.ino())
    }

    fn key() -> PodKey {
        PodKey::Uid(UID.to_owned())
    }

    #[test]
    fn a_pod_has_its_containers_and_nothing_below_them() {
        let pod = format!("kubepods/burstable/pod{UID}");
        let (root, tree, watched) = tree(&[
            format!("{pod}/{A}/system.slice/x"),
            format!("{pod}/{B}"),
            format!("{pod}/other"),
            "system.slice/ssh.service".into(),
        ]);
        let found = &tree.pods[&key()];
        let ids: Vec<&str> = found
            .children
            .iter()
            .map(|child| child.id.as_str())
            .collect();
        assert_eq!(ids, [A, B]);
        assert_eq!(found.level, 3);
        assert_eq!(found.cgroup, id_of(&root.path().join(&pod)).unwrap());
        assert_eq!(
            found.children[0].cgroup,
            id_of(&root.path().join(&pod).join(A)).unwrap()
        );
        assert!(
            watched.contains(&root.path().join(&pod)),
            "a pod's new containers are heard of"
        );
        assert!(!watched.iter().any(|path| path.ends_with(A)), "{watched:?}");
    }

    /// A container that may make cgroups can give them any name.
    #[test]
    fn a_pod_within_a_container_takes_nobodys_place() {
        let (root, tree, _) = tree(&[
            format!("a/{B}/kubepods/pod{UID}/{B}"),
            format!("kubepods/pod{UID}/{A}"),
        ]);
        assert_eq!(
            tree.pods[&key()].path,
            root.path().join(format!("kubepods/pod{UID}"))
        );
    }

    #[test]
    fn case_41_the_pods_of_a_machine_in_a_container_are_found() {
        let (_root, tree, _) = tree(&[format!("docker/{B}/kubelet/kubepods/pod{UID}/{A}")]);
        assert_eq!(tree.pods[&key()].level, 5);
    }

    #[test]
    fn containers_side_by_side_are_reported() {
        let slice = format!("kubepods-pod{}.slice:cri-containerd", UID.replace('-', "_"));
        let (_root, tree, _) = tree(&[format!("system.slice/{slice}:{A}")]);
        assert!(tree.pods.is_empty());
        assert!(tree.scattered.contains(&key()));
    }

    #[test]
    fn a_hierarchy_that_is_gone_is_an_error() {
        let gone = Path::new("/nonexistent/cgroup");
        walk(gone, gone, |_| ()).unwrap_err();
    }
}
