//! Observing the host. Every look has a deadline, and none changes anything.

mod clock;
mod gateway;
mod limits;
mod managers;
mod network;
mod node;
mod plugin;
mod store;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

use super::seen::{Seen, Unseen};

pub(super) use network::network;
pub(super) use node::node;

/// How long one look may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience(Duration);

impl Patience {
    /// That long.
    pub(super) const fn new(longest: Duration) -> Self {
        Self(longest)
    }

    /// Looks on a thread of its own, so that a disk or a server that hangs holds up nobody: the
    /// thread is left behind, and ends with the program.
    pub(super) fn look<T: Send + 'static>(
        self,
        look: impl FnOnce() -> Seen<T> + Send + 'static,
    ) -> Seen<T> {
        let (tell, told) = mpsc::channel();
        let started = thread::Builder::new().spawn(move || {
            // Nobody waits any more for one that was late.
            drop(tell.send(look()));
        });
        started.map_err(failed)?;
        match told.recv_timeout(self.0) {
            Ok(seen) => seen,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Unseen::Late),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(Unseen::Failed("the look ended without an answer".into()))
            }
        }
    }

    /// That time.
    pub(super) const fn longest(self) -> Duration {
        self.0
    }
}

/// Leaves for a network namespace of the calling thread's own, which goes with it.
fn leave() -> Seen<()> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(failed)
}

/// A look that an error ended.
fn failed(error: impl std::fmt::Display) -> Unseen {
    Unseen::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_hangs_is_given_up() {
        let patience = Patience::new(Duration::from_millis(20));
        let (_open, never) = mpsc::channel::<Seen<u8>>();
        let hangs = patience.look(move || never.recv().map_err(failed)?);
        assert_eq!(hangs, Err(Unseen::Late));
        assert_eq!(patience.look(|| Ok(1)), Ok(1));
    }
}
