//! Links of cgroups.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use super::attr::{CgroupLinkInfo, LinkCreate};
use super::{call, info, new_fd};

/// The hooks of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupHook {
    /// What the sockets below it receive.
    Ingress,
    /// What they send.
    Egress,
    /// What becomes of their TCP connections.
    SockOps,
}

impl CgroupHook {
    const fn attach_type(self) -> u32 {
        match self {
            Self::Ingress => 0,
            Self::Egress => 1,
            Self::SockOps => 3,
        }
    }
}

/// Attaches `program` to the cgroup whose folder is open as `cgroup`, beside those that are there.
/// It stays as long as what is returned, or a pin of it, does.
///
/// # Errors
/// `EPERM` when a program is there that tolerates no other; `EINVAL` when this very program is.
pub fn attach_cgroup(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
    hook: CgroupHook,
) -> io::Result<OwnedFd> {
    // No flags: a link of a cgroup always tolerates others, and saying so is an error.
    let mut attr = LinkCreate {
        program: program.as_raw_fd(),
        ifindex: u32::try_from(cgroup.as_raw_fd()).map_err(io::Error::other)?,
        attach_type: hook.attach_type(),
        ..LinkCreate::default()
    };
    Ok(new_fd(call(28, &mut attr)?))
}

/// The id of the cgroup that `link` is of; 0 when that is gone.
///
/// # Errors
/// The kernel's, and when it is no link of a cgroup.
pub fn cgroup_of(link: BorrowedFd<'_>) -> io::Result<u64> {
    const CGROUP: u32 = 3;
    let mut found = CgroupLinkInfo::default();
    info(link, &mut found)?;
    if found.kind != CGROUP {
        return Err(io::Error::other("not the link of a cgroup"));
    }
    Ok(found.cgroup)
}
