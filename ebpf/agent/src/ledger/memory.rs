//! The same without the kernel's maps: where it lets this process have none, and in tests.

use std::collections::BTreeMap;
use std::io;

use berth_ebpf_common::{Owner, Workload, WorkloadKey};
use nix::errno::Errno;

use super::{Counted, Store, nobody};

/// Forgotten with the process.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// How many slots there are.
    pub size: u32,
    /// Most workloads.
    pub room: usize,
    /// Whose slots are.
    pub owners: BTreeMap<u32, Owner>,
    /// What was counted.
    pub counters: BTreeMap<u32, Counted>,
    /// What has ended.
    pub workloads: BTreeMap<WorkloadKey, Workload>,
}

impl Memory {
    /// With room for `size` slots, that of the overflow included.
    pub fn new(size: u32, room: usize) -> Self {
        Self {
            size,
            room,
            ..Self::default()
        }
    }
}

impl Store for Memory {
    fn slots(&self) -> u32 {
        self.size
    }

    fn owner(&self, slot: u32) -> io::Result<Owner> {
        Ok(self.owners.get(&slot).copied().unwrap_or_else(|| nobody(0)))
    }

    fn set_owner(&mut self, slot: u32, owner: &Owner) -> io::Result<()> {
        self.owners.insert(slot, *owner);
        Ok(())
    }

    fn counted(&self, slot: u32) -> Counted {
        self.counters.get(&slot).copied().unwrap_or_default()
    }

    fn clear(&mut self, slot: u32) -> io::Result<()> {
        self.counters.remove(&slot);
        Ok(())
    }

    fn workloads(&self) -> io::Result<Vec<(WorkloadKey, Workload)>> {
        Ok(self.workloads.iter().map(|(k, w)| (*k, *w)).collect())
    }

    fn workload(&self, key: &WorkloadKey) -> io::Result<Option<Workload>> {
        Ok(self.workloads.get(key).copied())
    }

    fn set_workload(&mut self, key: &WorkloadKey, workload: &Workload) -> io::Result<()> {
        if !self.workloads.contains_key(key) && self.workloads.len() >= self.room {
            return Err(Errno::E2BIG.into());
        }
        self.workloads.insert(*key, *workload);
        Ok(())
    }
}
