//! The lock of the node's network namespace.

use std::fs::File;

use berth_ipam::uptime_ms;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::clock::pause;
use crate::spec::{CniError, Code};

/// For how long a call waits for another, in milliseconds.
const PATIENCE_MS: u64 = 10_000;

/// Held by the one call on the node that makes or removes what its interfaces share: VLAN sub-interfaces, nftables tables.
///
/// It is on the network namespace itself, not on a file below `runDir`: calls of networks with
/// different folders change the same links. The kernel drops it with its holder.
#[derive(Debug)]
pub(crate) struct NodeLock(#[expect(dead_code, reason = "kept for its drop")] Flock<File>);

impl NodeLock {
    /// Takes it, from whichever namespace the calling thread is in.
    ///
    /// # Errors
    /// Code 11 when another call keeps it; code 5.
    pub(crate) fn take() -> Result<Self, CniError> {
        let path = node_namespace();
        let begun = uptime_ms();
        let mut file = File::open(&path).map_err(|error| CniError::io(&path, &error))?;
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Self(lock)),
                Err((unlocked, Errno::EWOULDBLOCK)) => unlocked,
                Err((_, errno)) => return Err(CniError::io(&path, &errno.into())),
            };
            if uptime_ms().saturating_sub(begun) > PATIENCE_MS {
                let message = format!(
                    "another call changes what interfaces of this node share for more than {PATIENCE_MS} ms"
                );
                return Err(CniError::new(Code::TryAgain, message)
                    .details("see what that call waits for; the runtime tries again"));
            }
            pause();
        }
    }
}

/// Where the node's network namespace is: the one of the process's first thread, which never leaves
/// it.
pub(super) fn node_namespace() -> String {
    format!("/proc/{}/ns/net", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_at_a_time_has_the_lock_of_a_namespace() {
        let held = NodeLock::take().unwrap();
        let file = File::open(node_namespace()).unwrap();
        let second = Flock::lock(file, FlockArg::LockExclusiveNonblock);
        assert_eq!(second.unwrap_err().1, Errno::EWOULDBLOCK);
        drop(held);
        NodeLock::take().unwrap();
    }
}
