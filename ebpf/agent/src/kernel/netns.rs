//! Working in a container's network namespace, on a thread that ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;

use berth_types::NetnsRef;
use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{FsType, fstatfs};

/// `NSFS_MAGIC` of linux/magic.h.
const NSFS: FsType = FsType(0x6e73_6673);

/// Why a namespace was not entered.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// It is gone, or its path is another's by now.
    #[error("network namespace {0:?} is gone")]
    Gone(NetnsRef),
    /// It cannot be entered.
    #[error("network namespace {path:?} cannot be entered", path = .0.path.display().to_string())]
    Io(NetnsRef, #[source] io::Error),
}

/// Runs `body` in the namespace that was seen as `seen`. No descriptor of it is kept: it would keep
/// the namespace, and with it the container's address, alive.
///
/// # Errors
/// [`NetnsError`]; what `body` answers otherwise.
pub fn within<T: Send>(seen: &NetnsRef, body: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
    let file = open(seen)?;
    let enter = move || {
        setns(&file, CloneFlags::CLONE_NEWNET)?;
        drop(file);
        Ok(body())
    };
    let inside = thread::scope(|scope| {
        let spawned = thread::Builder::new().spawn_scoped(scope, enter)?;
        let ended = spawned.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("the thread inside panicked")))
    });
    inside.map_err(|source| NetnsError::Io(seen.clone(), source))
}

/// Whether it is still what is at its path.
pub fn is_there(seen: &NetnsRef) -> bool {
    open(seen).is_ok()
}

fn open(seen: &NetnsRef) -> Result<File, NetnsError> {
    let io = |source: io::Error| NetnsError::Io(seen.clone(), source);
    let path: &Path = &seen.path;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(NetnsError::Gone(seen.clone()));
        }
        Err(error) => return Err(io(error)),
    };
    let kind = fstatfs(&file).map_err(|errno| io(errno.into()))?;
    let inode = file.metadata().map_err(io)?.ino();
    // A file that stays when the mount on it goes, and a path that was used again.
    if kind.filesystem_type() != NSFS || inode != seen.inode {
        return Err(NetnsError::Gone(seen.clone()));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_27_a_path_that_is_gone_or_another_namespaces_is_never_entered() {
        let own = Path::new("/proc/self/ns/net");
        let inode = std::fs::metadata(own).unwrap().ino();
        let cases = [
            ("gone", "/nowhere/netns".into(), inode),
            ("another inode", own.to_owned(), inode + 1),
            ("no namespace", "/proc/self/status".into(), inode),
        ];
        for (case, path, inode) in cases {
            let seen = NetnsRef { path, inode };
            let entered = within(&seen, || panic!("never runs"));
            assert!(matches!(entered, Err(NetnsError::Gone(_))), "case: {case}");
        }
    }
}
