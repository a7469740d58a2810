//! Where owners, counters and workloads are kept.

use std::io;

use berth_ebpf_common::{IDENTITY_BYTES, Owner, OwnerState, Totals, Workload, WorkloadKey};

use super::Counted;

/// The kernel's maps, as far as slots and workloads go. Every method is one step that is done or
/// not; whoever is killed between two finds each of them whole.
pub trait Store: Send + std::fmt::Debug {
    /// How many slots there are, the one of the overflow included.
    fn slots(&self) -> u32;
    /// Whose a slot is.
    ///
    /// # Errors
    /// The kernel's.
    fn owner(&self, slot: u32) -> io::Result<Owner>;
    /// Writes whose a slot is.
    ///
    /// # Errors
    /// The kernel's.
    fn set_owner(&mut self, slot: u32, owner: &Owner) -> io::Result<()>;
    /// What was counted into a slot.
    fn counted(&self, slot: u32) -> Counted;
    /// Sets a slot's counters to zero; repeated when it was killed in between.
    ///
    /// # Errors
    /// The kernel's.
    fn clear(&mut self, slot: u32) -> io::Result<()>;
    /// All workloads.
    ///
    /// # Errors
    /// The kernel's.
    fn workloads(&self) -> io::Result<Vec<(WorkloadKey, Workload)>>;
    /// One workload.
    ///
    /// # Errors
    /// The kernel's.
    fn workload(&self, key: &WorkloadKey) -> io::Result<Option<Workload>>;
    /// Writes one workload.
    ///
    /// # Errors
    /// `E2BIG` when there is room for no more.
    fn set_workload(&mut self, key: &WorkloadKey, workload: &Workload) -> io::Result<()>;
}

/// An owner of nothing, whose slot was given `generation` times.
pub fn nobody(generation: u64) -> Owner {
    Owner {
        state: state_number(OwnerState::Free),
        identity_len: 0,
        generation,
        created_ns: 0,
        flags: 0,
        base: Totals::default(),
        identity: [0; IDENTITY_BYTES],
    }
}

/// A state as it is written.
pub const fn state_number(state: OwnerState) -> u32 {
    match state {
        OwnerState::Free => 0,
        OwnerState::Live => 1,
        OwnerState::Ended => 2,
    }
}

impl Store for Box<dyn Store> {
    fn slots(&self) -> u32 {
        self.as_ref().slots()
    }

    fn owner(&self, slot: u32) -> io::Result<Owner> {
        self.as_ref().owner(slot)
    }

    fn set_owner(&mut self, slot: u32, owner: &Owner) -> io::Result<()> {
        self.as_mut().set_owner(slot, owner)
    }

    fn counted(&self, slot: u32) -> Counted {
        self.as_ref().counted(slot)
    }

    fn clear(&mut self, slot: u32) -> io::Result<()> {
        self.as_mut().clear(slot)
    }

    fn workloads(&self) -> io::Result<Vec<(WorkloadKey, Workload)>> {
        self.as_ref().workloads()
    }

    fn workload(&self, key: &WorkloadKey) -> io::Result<Option<Workload>> {
        self.as_ref().workload(key)
    }

    fn set_workload(&mut self, key: &WorkloadKey, workload: &Workload) -> io::Result<()> {
        self.as_mut().set_workload(key, workload)
    }
}
