//! The kernel's side: links at pods' cgroups, and the maps they count into.

mod pinned;

pub use pinned::Pinned;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use berth_ebpf_common::ContainerOwner;

use crate::model::ContainerCounts;

/// What a program at a pod's cgroup sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// What the pod's sockets receive.
    Receive,
    /// What they send.
    Transmit,
    /// How their TCP connections do.
    Tcp,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Receive, Self::Transmit, Self::Tcp];
    /// Those of the split.
    pub const SPLIT: [Self; 2] = [Self::Receive, Self::Transmit];

    /// As it stands in the names of pins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Transmit => "transmit",
            Self::Tcp => "tcp",
        }
    }
}

/// The pin of a link: `links/pod-<cgroup>-<hook>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkName {
    /// The pod's cgroup.
    pub pod: u64,
    /// What it sees.
    pub hook: Hook,
}

impl LinkName {
    /// The name of the file.
    pub fn file(&self) -> String {
        format!("pod-{}-{}", self.pod, self.hook.name())
    }

    /// Reads it back.
    pub fn parse(file: &str) -> Option<Self> {
        let (pod, hook) = file.strip_prefix("pod-")?.split_once('-')?;
        Some(Self {
            pod: pod.parse().ok()?,
            hook: Hook::ALL.into_iter().find(|known| known.name() == hook)?,
        })
    }
}

/// Where a link is to be, and what its program is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The pin.
    pub name: LinkName,
    /// The folder of the pod's cgroup.
    pub path: PathBuf,
    /// The level of the containers' cgroups, or the slot whose TCP it is.
    pub constant: u32,
}

/// The kernel, as far as containers are concerned. Every method can be repeated.
pub trait Kernel {
    /// All pinned links, and whether the cgroup of each is still there.
    ///
    /// # Errors
    /// The kernel's.
    fn links(&mut self) -> io::Result<BTreeMap<LinkName, bool>>;
    /// Makes sure that the cgroup has one link with the right program, and that it is pinned: puts
    /// the program in the place of an older one without a gap.
    ///
    /// # Errors
    /// `EPERM` when somebody's program tolerates no other, `ENOENT` when the cgroup is gone.
    fn attach(&mut self, target: &Target) -> io::Result<()>;
    /// Takes a link away.
    ///
    /// # Errors
    /// The kernel's.
    fn detach(&mut self, name: LinkName) -> io::Result<()>;
    /// Which cgroups count into which slots.
    ///
    /// # Errors
    /// The kernel's.
    fn mapped(&mut self) -> io::Result<BTreeMap<u64, u32>>;
    /// Has a container's cgroup count into a slot.
    ///
    /// # Errors
    /// `E2BIG` when there is room for no more.
    fn map(&mut self, cgroup: u64, slot: u32) -> io::Result<()>;
    /// Has it count into none.
    ///
    /// # Errors
    /// The kernel's; not that it did not.
    fn unmap(&mut self, cgroup: u64) -> io::Result<()>;
    /// What stands of the slots, by their numbers.
    ///
    /// # Errors
    /// The kernel's.
    fn owners(&mut self) -> io::Result<BTreeMap<u32, ContainerOwner>>;
    /// Writes down whose a slot is.
    ///
    /// # Errors
    /// The kernel's.
    fn set_owner(&mut self, slot: u32, owner: &ContainerOwner) -> io::Result<()>;
    /// What a slot has counted.
    fn counts(&self, slot: u32) -> ContainerCounts;
    /// Sets a slot's counters to zero. Nothing may count into it.
    ///
    /// # Errors
    /// The kernel's.
    fn zero(&mut self, slot: u32) -> io::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_pin_is_read_back() {
        for hook in Hook::ALL {
            let name = LinkName {
                pod: u64::MAX,
                hook,
            };
            assert_eq!(LinkName::parse(&name.file()), Some(name));
        }
        for other in [
            "",
            "pod-",
            "pod-1",
            "pod-1-",
            "pod-x-tcp",
            "1-2-receive",
            "pod-1-tcp-2",
        ] {
            assert_eq!(LinkName::parse(other), None, "{other}");
        }
    }
}
