//! Why an interface is not attached to.

use std::io;

use crate::kernel::load::LoadError;
use crate::kernel::netns::NetnsError;

/// Why an interface is not attached to.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// It is gone, or on its way.
    #[error("the interface is gone")]
    Gone,
    /// Its namespace cannot be entered.
    #[error(transparent)]
    Netns(NetnsError),
    /// There are no programs.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The kernel refused.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl AttachError {
    /// A word for the label `reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Netns(_) => "netns",
            Self::Load(_) => "load",
            Self::Io { .. } => "attach",
        }
    }

    /// One sentence telling the operator what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Gone => "nothing: the pod has ended",
            Self::Netns(_) => {
                "run the agent with CAP_SYS_ADMIN, with CAP_SYS_PTRACE where the runtime names \
                 namespaces by /proc, and let it see the runtime's /run/netns"
            }
            Self::Load(_) => {
                "run the agent with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON on Linux 5.10 or later"
            }
            Self::Io { .. } => {
                "run the agent with CAP_NET_ADMIN; `dmesg` may have the kernel's words"
            }
        }
    }
}

impl From<NetnsError> for AttachError {
    fn from(error: NetnsError) -> Self {
        match error {
            NetnsError::Gone(_) => Self::Gone,
            other @ NetnsError::Io(..) => Self::Netns(other),
        }
    }
}
