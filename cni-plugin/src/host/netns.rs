//! Network namespaces of containers: identity, and threads that work inside one.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use berth_types::NetnsRef;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{FsType, fstatfs};

/// `NSFS_MAGIC` of linux/magic.h.
const NSFS: FsType = FsType(0x6e73_6673);

/// A path that is no namespace a container may have.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// Nothing is there.
    #[error("network namespace {path:?} does not exist", path = .0.display().to_string())]
    Absent(PathBuf),
    /// Something else is there.
    #[error("{path:?} is not a network namespace", path = .0.display().to_string())]
    NotOne(PathBuf),
    /// It is the node's own.
    #[error("{path:?} is this node's own network namespace", path = .0.display().to_string())]
    Host(PathBuf),
    /// It cannot be looked at or entered.
    #[error("network namespace {path:?}: {source}", path = .path.display().to_string())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An open network namespace; it lives as long as this is kept.
#[derive(Debug)]
pub struct Netns {
    file: File,
    at: NetnsRef,
}

impl Netns {
    /// Opens the namespace at `path`, unless it is the one this process is in.
    ///
    /// # Errors
    /// [`NetnsError`].
    pub fn open(path: &Path) -> Result<Self, NetnsError> {
        let failed = |source: io::Error| NetnsError::Io {
            path: path.to_owned(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NetnsError::Absent(path.to_owned()));
            }
            Err(error) => return Err(failed(error)),
        };
        let kind = fstatfs(&file).map_err(|errno| failed(errno.into()))?;
        if kind.filesystem_type() != NSFS {
            return Err(NetnsError::NotOne(path.to_owned()));
        }
        let inode = file.metadata().map_err(failed)?.ino();
        if inode == fs::metadata("/proc/self/ns/net").map_err(failed)?.ino() {
            return Err(NetnsError::Host(path.to_owned()));
        }
        Ok(Self {
            file,
            at: NetnsRef {
                path: path.to_owned(),
                inode,
            },
        })
    }

    /// Opens the node's own: the one of the process's first thread, which never leaves it.
    ///
    /// # Errors
    /// [`NetnsError::Io`].
    pub fn node() -> Result<Self, NetnsError> {
        let path = PathBuf::from(format!("/proc/{}/ns/net", std::process::id()));
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.ino(), file)));
        match opened {
            Ok((inode, file)) => Ok(Self {
                file,
                at: NetnsRef { path, inode },
            }),
            Err(source) => Err(NetnsError::Io { path, source }),
        }
    }

    /// Finds the namespace that was seen as `seen`, when it still exists.
    ///
    /// It is looked for where it was, at `also` (where the runtime says it is by now), and, as it
    /// may live on without either path, with every thread of every process. The kernel uses inode
    /// numbers again: what is found may be another namespace, so look at what is in it.
    ///
    /// # Errors
    /// [`NetnsError::Io`] when that cannot be told.
    pub fn find(seen: &NetnsRef, also: Option<&Path>) -> Result<Option<Self>, NetnsError> {
        for path in [Some(seen.path.as_path()), also].into_iter().flatten() {
            match Self::open(path) {
                Ok(found) if found.at.inode == seen.inode => return Ok(Some(found)),
                Err(error @ NetnsError::Io { .. }) => return Err(error),
                _ => {}
            }
        }
        let processes = fs::read_dir("/proc");
        let processes = processes.map_err(|source| NetnsError::Io {
            path: "/proc".into(),
            source,
        })?;
        for process in processes.filter_map(Result::ok) {
            // A process that is gone by now, or a file that is no process.
            let Ok(threads) = fs::read_dir(process.path().join("task")) else {
                continue;
            };
            for thread in threads.filter_map(Result::ok) {
                let path = thread.path().join("ns/net");
                if fs::metadata(&path).is_ok_and(|there| there.ino() == seen.inode)
                    && let Ok(found) = Self::open(&path)
                    && found.at.inode == seen.inode
                {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// Where it was seen.
    pub const fn at(&self) -> &NetnsRef {
        &self.at
    }

    /// Runs `body` inside, on a thread that ends with it.
    ///
    /// # Errors
    /// [`NetnsError::Io`] when it cannot be entered.
    pub fn within<T: Send>(&self, body: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        thread::scope(|scope| self.end(self.start_within(scope, body)?))
    }

    /// Starts `body` inside, on a thread of its own, and goes on; [`Netns::end`] waits for it.
    ///
    /// # Errors
    /// [`NetnsError::Io`] when there can be no thread.
    pub fn start_within<'scope, T: Send + 'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        body: impl FnOnce() -> T + Send + 'scope,
    ) -> Result<Inside<'scope, T>, NetnsError>
    where
        Self: 'scope,
    {
        self.start_outside(scope, || (), |()| body())
    }

    /// The same, after `outside` was done on that thread in the namespace of the caller.
    ///
    /// # Errors
    /// [`NetnsError::Io`] when there can be no thread.
    pub fn start_outside<'scope, A: 'scope, T: Send + 'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        outside: impl FnOnce() -> A + Send + 'scope,
        body: impl FnOnce(A) -> T + Send + 'scope,
    ) -> Result<Inside<'scope, T>, NetnsError>
    where
        Self: 'scope,
    {
        let file = &self.file;
        let enter = move || {
            let done = outside();
            setns(file, CloneFlags::CLONE_NEWNET).map(|()| body(done))
        };
        thread::Builder::new()
            .spawn_scoped(scope, enter)
            .map_err(|error| self.failed(error))
    }

    /// Waits for what was started inside.
    ///
    /// # Errors
    /// [`NetnsError::Io`] when the namespace could not be entered, or the thread panicked.
    pub fn end<T>(&self, inside: Inside<'_, T>) -> Result<T, NetnsError> {
        match inside.join() {
            // A namespace of another kind.
            Ok(Err(Errno::EINVAL)) => Err(NetnsError::NotOne(self.at.path.clone())),
            Ok(result) => result.map_err(|errno| self.failed(errno.into())),
            Err(_) => Err(self.failed(io::Error::other("the thread inside panicked"))),
        }
    }

    fn failed(&self, source: io::Error) -> NetnsError {
        NetnsError::Io {
            path: self.at.path.clone(),
            source,
        }
    }
}

/// A thread at work in a namespace.
pub type Inside<'scope, T> = thread::ScopedJoinHandle<'scope, nix::Result<T>>;

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
