//! Hears of cgroups that come and go.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Folders that are watched. What it misses, as when the kernel's limit is reached, the next look at
/// everything finds.
#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
    /// Folders that could not be watched since the last look.
    failed: u64,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// `EMFILE` when the user has too many already.
    pub fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Self { inotify, failed: 0 })
    }

    /// Watches `folder`, or goes on doing so.
    pub fn add(&mut self, folder: &Path) {
        let what = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_ONLYDIR;
        match self.inotify.add_watch(folder, what) {
            // It is gone.
            Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(_) => self.failed += 1,
        }
    }

    /// Forgets what has been heard; whether it was anything.
    pub fn heard(&mut self) -> bool {
        let mut heard = false;
        while self
            .inotify
            .read_events()
            .is_ok_and(|events| !events.is_empty())
        {
            heard = true;
        }
        heard
    }

    /// Folders that could not be watched so far.
    pub const fn failed(&self) -> u64 {
        self.failed
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_heard_of_once() {
        let root = tempfile::tempdir().unwrap();
        let mut watch = Watch::new().unwrap();
        watch.add(root.path());
        watch.add(root.path());
        watch.add(&root.path().join("gone"));
        assert_eq!((watch.heard(), watch.failed()), (false, 0));
        std::fs::create_dir(root.path().join("pod")).unwrap();
        assert!(watch.heard());
        assert!(!watch.heard());
    }
}
