//! Whose a cgroup is, by its path alone.

mod path;

pub use path::identify;

use std::fmt;

/// Which pod a cgroup is of, as far as its path tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodKey {
    /// Kubernetes' uid: five groups with `-` between them, or the 32 digits of a static pod.
    Uid(String),
    /// The 64 digits of a pod of podman.
    Podman(String),
}

impl PodKey {
    /// Its text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Uid(text) | Self::Podman(text) => text,
        }
    }
}

impl fmt::Display for PodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a cgroup is. A level is how many folders below the root of the hierarchy it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cgroup {
    /// Nothing of a container.
    Other,
    /// A pod, with its containers directly below.
    Pod {
        /// Which.
        pod: PodKey,
        /// Its level.
        level: u32,
    },
    /// A container, its sandbox (which only the runtime can tell apart), or a program that watches
    /// over it.
    Container {
        /// Its pod; absent for a container that has none.
        pod: Option<PodKey>,
        /// The runtime's id: 64 digits, or a name where the runtime has nothing else.
        id: String,
        /// Its level.
        level: u32,
        /// What it does.
        role: Role,
    },
    /// Made within a container, and counted as it.
    Inner {
        /// The container's pod.
        pod: Option<PodKey>,
        /// The container's id.
        id: String,
        /// The container's level.
        level: u32,
    },
}

/// What the processes of a container's cgroup do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// They are the container's, or the sandbox's.
    Container,
    /// They are the runtime's, which wait for the container's (`conmon`).
    Monitor,
}

/// How many digits of a container's id stand for its name while nobody knows that.
const SHORT: usize = 12;

/// The name of a container of which only the id is known.
pub fn short_id(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}
