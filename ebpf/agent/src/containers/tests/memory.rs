//! The kernel's side as a test can look through it, and be killed in the middle of.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use berth_ebpf_common::ContainerOwner;

use crate::containers::apply::{Hook, Kernel, LinkName, Target};
use crate::model::ContainerCounts;

/// What outlives the agent.
#[derive(Debug, Default)]
pub(super) struct Inside {
    pub(super) links: BTreeMap<LinkName, bool>,
    pub(super) told: BTreeMap<LinkName, u32>,
    pub(super) mapped: BTreeMap<u64, u32>,
    pub(super) owners: BTreeMap<u32, ContainerOwner>,
    pub(super) counts: BTreeMap<u32, ContainerCounts>,
    /// Changes that are still made; the agent is dead for all that come after.
    pub(super) left: Option<u32>,
    /// Most cgroups that there is room for.
    pub(super) room: Option<usize>,
    /// What attaching answers.
    pub(super) refuses: Option<i32>,
}

/// A handle on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(pub(super) Rc<RefCell<Inside>>);

impl Memory {
    /// A packet for the socket of a container.
    pub(super) fn packet(&self, pod: u64, cgroup: u64) -> Option<u32> {
        let mut inside = self.0.borrow_mut();
        let name = LinkName {
            pod,
            hook: Hook::Receive,
        };
        if inside.links.get(&name) != Some(&true) {
            return None;
        }
        let slot = inside.mapped.get(&cgroup).copied().unwrap_or(1);
        inside.counts.entry(slot).or_default().receive.packets += 1;
        Some(slot)
    }

    fn change(&self, change: impl FnOnce(&mut Inside) -> io::Result<()>) -> io::Result<()> {
        let mut inside = self.0.borrow_mut();
        match &mut inside.left {
            Some(0) => return Err(io::ErrorKind::Interrupted.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        change(&mut inside)
    }
}

impl Kernel for Memory {
    fn links(&mut self) -> io::Result<BTreeMap<LinkName, bool>> {
        Ok(self.0.borrow().links.clone())
    }

    fn attach(&mut self, target: &Target) -> io::Result<()> {
        self.change(|inside| {
            if let Some(errno) = inside.refuses {
                return Err(io::Error::from_raw_os_error(errno));
            }
            inside.links.insert(target.name, true);
            inside.told.insert(target.name, target.constant);
            Ok(())
        })
    }

    fn detach(&mut self, name: LinkName) -> io::Result<()> {
        self.change(|inside| {
            inside.links.remove(&name);
            Ok(())
        })
    }

    fn mapped(&mut self) -> io::Result<BTreeMap<u64, u32>> {
        Ok(self.0.borrow().mapped.clone())
    }

    fn map(&mut self, cgroup: u64, slot: u32) -> io::Result<()> {
        self.change(|inside| {
            let full = inside.room.is_some_and(|room| inside.mapped.len() >= room);
            if full && !inside.mapped.contains_key(&cgroup) {
                return Err(io::Error::from_raw_os_error(nix::libc::E2BIG));
            }
            inside.mapped.insert(cgroup, slot);
            Ok(())
        })
    }

    fn unmap(&mut self, cgroup: u64) -> io::Result<()> {
        self.change(|inside| {
            inside.mapped.remove(&cgroup);
            Ok(())
        })
    }

    fn owners(&mut self) -> io::Result<BTreeMap<u32, ContainerOwner>> {
        Ok(self.0.borrow().owners.clone())
    }

    fn set_owner(&mut self, slot: u32, owner: &ContainerOwner) -> io::Result<()> {
        self.change(|inside| {
            inside.owners.insert(slot, *owner);
            Ok(())
        })
    }

    fn counts(&self, slot: u32) -> ContainerCounts {
        let inside = self.0.borrow();
        inside.counts.get(&slot).copied().unwrap_or_default()
    }

    fn zero(&mut self, slot: u32) -> io::Result<()> {
        self.change(|inside| {
            inside.counts.remove(&slot);
            Ok(())
        })
    }
}
