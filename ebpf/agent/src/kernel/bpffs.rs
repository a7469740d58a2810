//! The kernel's file system of pins: whether it is the node's, and usable.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{FsType, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};

/// `BPF_FS_MAGIC` of linux/magic.h.
const MAGIC: FsType = FsType(0xcafe_4a11);

/// The first process's view of the file systems.
const NODE_ROOT: &str = "/proc/1/root";

/// Why pins cannot be kept at a path.
#[derive(Debug, thiserror::Error)]
pub enum BpffsError {
    /// Nothing is there.
    #[error("--bpffs {0:?} does not exist")]
    Absent(PathBuf),
    /// Another file system is there.
    #[error("--bpffs {0:?} is not the kernel's file system for pins (bpffs)")]
    NotOne(PathBuf),
    /// Another mount than the node's.
    #[error(
        "--bpffs {0:?} is a mount of its own, not the node's: pins in it end with the container"
    )]
    Private(PathBuf),
    /// It cannot be written to.
    #[error("--bpffs {0:?} is mounted read-only")]
    ReadOnly(PathBuf),
    /// It cannot be looked at, or a folder not be made in it.
    #[error("--bpffs {path:?}")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BpffsError {
    /// One sentence telling the operator what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Absent(_) | Self::NotOne(_) => "run `mount -t bpf bpf /sys/fs/bpf` on the node",
            Self::Private(_) => {
                "mount the node's /sys/fs/bpf into the container (hostPath, propagation Bidirectional)"
            }
            Self::ReadOnly(_) => "remount it read-write: `mount -o remount,rw /sys/fs/bpf`",
            Self::Io { .. } => "look at the permissions of the path and at `dmesg`",
        }
    }
}

/// Makes sure that pins at `root` are the node's and outlive this process.
///
/// # Errors
/// [`BpffsError`].
pub fn check(root: &Path) -> Result<(), BpffsError> {
    check_against(root, Path::new(NODE_ROOT))
}

fn check_against(root: &Path, node: &Path) -> Result<(), BpffsError> {
    let io = |source: io::Error| BpffsError::Io {
        path: root.to_owned(),
        source,
    };
    let meta = match fs::metadata(root) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(BpffsError::Absent(root.to_owned()));
        }
        Err(error) => return Err(io(error)),
    };
    let kind = statfs(root).map_err(|errno| io(errno.into()))?;
    if kind.filesystem_type() != MAGIC {
        return Err(BpffsError::NotOne(root.to_owned()));
    }
    if !is_the_nodes(root, meta.dev(), node) {
        return Err(BpffsError::Private(root.to_owned()));
    }
    let mount = statvfs(root).map_err(|errno| io(errno.into()))?;
    if mount.flags().contains(FsFlags::ST_RDONLY) {
        return Err(BpffsError::ReadOnly(root.to_owned()));
    }
    Ok(())
}

/// Whether the first process sees the same file system at the same path. What cannot be told, as
/// another process's root may be hidden, counts as yes; a first process that sees no pins there at
/// all is not the node's, and neither is what this path is for it.
fn is_the_nodes(root: &Path, device: u64, node: &Path) -> bool {
    let there = node.join(root.strip_prefix("/").unwrap_or(root));
    match (fs::metadata(&there), statfs(&there)) {
        (Ok(meta), Ok(kind)) => kind.filesystem_type() != MAGIC || meta.dev() == device,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_47_a_path_that_is_missing_or_another_file_system_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none");
        let error = check(&missing).unwrap_err();
        assert!(matches!(error, BpffsError::Absent(_)), "{error}");
        assert!(error.to_string().contains("none"), "{error}");
        let error = check(folder.path()).unwrap_err();
        assert!(matches!(error, BpffsError::NotOne(_)), "{error}");
        assert!(error.hint().contains("mount -t bpf"));
    }
}
