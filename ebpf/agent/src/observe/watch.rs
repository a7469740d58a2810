//! Waiting for the folder of records to change.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// A watch on the folder of records, set anew when that appears or is replaced.
#[derive(Debug, Default)]
pub struct Watch {
    inotify: Option<Inotify>,
}

impl Watch {
    /// Watches the records below `run_dir` from now on, when they can be.
    pub fn set(&mut self, run_dir: &Path) {
        if self.inotify.is_none() {
            self.inotify = watch(&run_dir.join("attachments")).ok();
        }
    }

    /// Waits until something changes, or `within` has passed. Answers whether something did.
    pub fn wait(&mut self, within: Duration) -> bool {
        let timeout = PollTimeout::try_from(within).unwrap_or(PollTimeout::ZERO);
        let Some(inotify) = &self.inotify else {
            std::thread::park_timeout(within);
            return false;
        };
        let mut fds = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, timeout).unwrap_or(0) == 0 {
            return false;
        }
        let gone = match inotify.read_events() {
            Ok(events) => events
                .iter()
                .any(|event| event.mask.contains(AddWatchFlags::IN_IGNORED)),
            Err(_) => true,
        };
        if gone {
            self.inotify = None;
        }
        true
    }
}

fn watch(folder: &Path) -> io::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let changes = AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_DELETE_SELF;
    inotify.add_watch(folder, changes)?;
    Ok(inotify)
}
