//! Whose the containers' slots are.
//!
//! It stands in the kernel beside the counters, so that any later agent goes on with it; what is kept
//! here is a copy. A slot goes `Free → Live → Ended → Free`, one update of one entry each; its
//! counters are zeroed on the way from `Free` to `Live`, when nothing counts into it.

mod identity;

pub use identity::{Identity, Name};

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use berth_ebpf_common::{CONTAINER_SLOTS, ContainerOwner, OwnerState, Unattributed};
use jiff::Timestamp;

use crate::containers::apply::Kernel;

/// How long a free slot is left alone: a program that had looked it up before may still count.
const GRACE: Duration = Duration::from_secs(2);

/// A container's slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// How often it was given.
    pub generation: u64,
    /// When counting began.
    pub created: Timestamp,
    /// Since when, in uptime, its pod is gone; an agent that was away begins anew.
    pub ended: Option<Duration>,
    /// Whose it is.
    pub identity: Identity,
}

/// A slot that is nobody's and was somebody's.
#[derive(Clone, Copy, Debug)]
struct Vacant {
    generation: u64,
    since: Duration,
}

/// All slots.
#[derive(Debug, Default)]
pub struct Ledger {
    slots: BTreeMap<u32, Slot>,
    free: BTreeMap<u32, Vacant>,
}

impl Ledger {
    /// Reads what stands in the kernel. `now` is the uptime.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(kernel: &mut impl Kernel, now: Duration) -> io::Result<Self> {
        let mut ledger = Self::default();
        for (slot, owner) in kernel.owners()? {
            if slot < first() || slot >= CONTAINER_SLOTS {
                continue;
            }
            if let Some(found) = read(&owner, now) {
                ledger.slots.insert(slot, found);
                continue;
            }
            let vacant = Vacant {
                generation: owner.generation,
                since: now,
            };
            ledger.free.insert(slot, vacant);
        }
        Ok(ledger)
    }

    /// The slots that are somebody's.
    pub const fn slots(&self) -> &BTreeMap<u32, Slot> {
        &self.slots
    }

    /// Slots that may be given at `now`, with the generation that each then has.
    pub fn vacant(&self, now: Duration) -> impl Iterator<Item = (u32, u64)> {
        let rested = move |vacant: &Vacant| now.saturating_sub(vacant.since) >= GRACE;
        let unused = |slot: &u32| !self.slots.contains_key(slot) && !self.free.contains_key(slot);
        let fresh = (first()..CONTAINER_SLOTS)
            .filter(unused)
            .map(|slot| (slot, 1));
        let again = self
            .free
            .iter()
            .filter(move |(_, vacant)| rested(vacant))
            .map(|(slot, vacant)| (*slot, vacant.generation + 1));
        again.chain(fresh)
    }

    /// Gives `slot` to a container, with its counters at zero.
    ///
    /// # Errors
    /// The kernel's.
    pub fn give(&mut self, kernel: &mut impl Kernel, slot: u32, to: Slot) -> io::Result<()> {
        kernel.zero(slot)?;
        self.change(kernel, slot, to)?;
        self.free.remove(&slot);
        Ok(())
    }

    /// Writes down whose `slot` is.
    ///
    /// # Errors
    /// The kernel's.
    pub fn change(&mut self, kernel: &mut impl Kernel, slot: u32, to: Slot) -> io::Result<()> {
        kernel.set_owner(slot, &written(&to))?;
        self.slots.insert(slot, to);
        Ok(())
    }

    /// Makes `slot` nobody's. Nothing may count into it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn free(&mut self, kernel: &mut impl Kernel, slot: u32, now: Duration) -> io::Result<()> {
        let Some(found) = self.slots.get(&slot) else {
            return Ok(());
        };
        let generation = found.generation;
        kernel.set_owner(slot, &nobody(generation))?;
        self.slots.remove(&slot);
        let since = now;
        self.free.insert(slot, Vacant { generation, since });
        Ok(())
    }
}

/// The first slot that is a container's.
pub fn first() -> u32 {
    u32::try_from(Unattributed::ALL.len()).unwrap_or(u32::MAX)
}

fn read(owner: &ContainerOwner, now: Duration) -> Option<Slot> {
    if owner.state == number(OwnerState::Free) {
        return None;
    }
    Some(Slot {
        generation: owner.generation,
        created: timestamp(owner.created_ns),
        ended: (owner.state == number(OwnerState::Ended)).then_some(now),
        identity: Identity::decode(&owner.identity, owner.identity_len)?,
    })
}

fn timestamp(nanoseconds: u64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default()
}

fn written(slot: &Slot) -> ContainerOwner {
    let Slot {
        generation,
        created,
        ended,
        identity,
    } = slot;
    let (identity, identity_len) = identity.encode();
    ContainerOwner {
        state: number(match ended {
            None => OwnerState::Live,
            Some(_) => OwnerState::Ended,
        }),
        identity_len,
        generation: *generation,
        created_ns: u64::try_from(created.as_nanosecond()).unwrap_or_default(),
        reserved: [0; 3],
        identity,
    }
}

fn nobody(generation: u64) -> ContainerOwner {
    ContainerOwner {
        state: number(OwnerState::Free),
        identity_len: 0,
        generation,
        created_ns: 0,
        reserved: [0; 3],
        identity: [0; berth_ebpf_common::CONTAINER_IDENTITY_BYTES],
    }
}

#[expect(
    clippy::as_conversions,
    reason = "the discriminant is what stands in the kernel"
)]
const fn number(state: OwnerState) -> u32 {
    state as u32
}
