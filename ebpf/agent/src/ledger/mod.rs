//! Whose slots are, what they counted, and what those had counted that have ended.
//!
//! All of it stands in the kernel ([`Store`]); what is kept here is a copy. Each change is one
//! update of one entry, and each can be repeated:
//!
//! ```text
//! Free ──assign──▶ Live ──end──▶ Ended ──fold: one update of the workload──▶ (folded) ──free──▶ Free
//!                   ▲──revive──────┘
//! ```
//!
//! A workload names the slot and generation that was folded into it last, so that whoever is killed
//! between folding and freeing finds that the first is done. The next slot is folded into it only
//! when that one is free.

mod adopt;
mod former;
mod identity;
mod layout;
mod memory;
mod pinned;
mod slot;
mod store;
mod totals;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use berth_ebpf_common::{Count, OVERFLOW, Owner, OwnerState, Totals};
use jiff::Timestamp;

use crate::model::DeviceCounts;
pub use former::Formers;
pub use identity::{Family, Former, Identity, Life, Place};
pub use layout::Layout;
pub use memory::Memory;
pub use pinned::Pinned;
pub use slot::Slot;
pub use store::{Store, nobody, state_number};
pub use totals::{Counted, add_count, add_totals, add_unnamed, excess, sum};
pub use workloads::Entry;

/// Bit 0 of an owner's flags.
const ESTIMATED: u64 = 1;

/// Packets of one direction that an interface sends and hears while it comes up, before anybody
/// could count them. What more was not counted may have been merged by the kernel.
const COMING_UP: u64 = 64;

/// The slots and workloads of one version's maps.
#[derive(Debug)]
pub struct Ledger<S> {
    store: S,
    slots: BTreeMap<u32, Slot>,
    /// Generations of the slots that are nobody's and were somebody's.
    free: BTreeMap<u32, u64>,
    /// Slots whose owner's words cannot be read. Nobody gets them.
    unreadable: BTreeSet<u32>,
    /// Other versions' maps, by their numbers, while slots go on from theirs.
    formers: BTreeMap<u32, Formers>,
}

impl<S: Store> Ledger<S> {
    /// Reads what stands in `store`. `now` is the uptime.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(store: S, now: Duration) -> io::Result<Self> {
        let mut ledger = Self {
            slots: BTreeMap::new(),
            free: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            formers: BTreeMap::new(),
            store,
        };
        for slot in 1..ledger.store.slots() {
            let owner = ledger.store.owner(slot)?;
            if owner.state != state_number(OwnerState::Free) {
                match read(&owner, now) {
                    Some(found) => drop(ledger.slots.insert(slot, found)),
                    None => drop(ledger.unreadable.insert(slot)),
                }
            } else if owner.generation > 0 {
                ledger.free.insert(slot, owner.generation);
            }
        }
        Ok(ledger)
    }

    /// Whether nobody has worked with these maps yet: [`Ledger::begin`] has not been done.
    ///
    /// # Errors
    /// The kernel's.
    pub fn is_new(&self) -> io::Result<bool> {
        let owner = self.store.owner(OVERFLOW)?;
        Ok(owner.state == state_number(OwnerState::Free))
    }

    /// When that was done; `None` when it was not.
    ///
    /// # Errors
    /// The kernel's.
    pub fn begun(&self) -> io::Result<Option<Timestamp>> {
        let owner = self.store.owner(OVERFLOW)?;
        let begun = owner.state != state_number(OwnerState::Free);
        Ok(begun.then(|| timestamp(owner.created_ns)))
    }

    /// Notes that everything that was known from before stands in these maps.
    ///
    /// # Errors
    /// The kernel's.
    pub fn begin(&mut self, now: Timestamp) -> io::Result<()> {
        let begun = Owner {
            state: state_number(OwnerState::Live),
            created_ns: nanoseconds(now),
            ..nobody(1)
        };
        self.store.set_owner(OVERFLOW, &begun)
    }

    /// The slots that are somebody's.
    pub const fn slots(&self) -> &BTreeMap<u32, Slot> {
        &self.slots
    }

    /// The slots of which nobody can tell whose they are.
    pub const fn unreadable(&self) -> &BTreeSet<u32> {
        &self.unreadable
    }

    /// Where it stands.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// A slot that is nobody's; `None` when each is somebody's. The one of the overflow never is.
    pub fn vacant(&self) -> Option<u32> {
        let taken = |slot: &u32| {
            self.slots.contains_key(slot)
                || self.free.contains_key(slot)
                || self.unreadable.contains(slot)
        };
        let fresh = (OVERFLOW + 1..self.store.slots()).find(|slot| !taken(slot));
        fresh.or_else(|| self.free.keys().next().copied())
    }

    /// How many slots are nobody's.
    pub fn vacancies(&self) -> usize {
        let all = usize::try_from(self.store.slots()).unwrap_or(usize::MAX);
        all.saturating_sub(1 + self.slots.len() + self.unreadable.len())
    }

    /// What a slot has counted in all; nothing for one that is nobody's.
    pub fn totals(&self, slot: u32) -> Totals {
        let mut totals = self.store.counted(slot).totals;
        if let Some(found) = self.slots.get(&slot) {
            add_totals(&mut totals, &found.base);
            if let Some(former) = found.identity.former {
                // What cannot be read is not lost: it is added when it can be.
                add_totals(&mut totals, &self.former_totals(former).unwrap_or_default());
            }
        }
        totals
    }

    /// Gives `slot`, which is nobody's, to an interface.
    ///
    /// # Errors
    /// The kernel's.
    pub fn assign(&mut self, slot: u32, mut identity: Identity, now: Timestamp) -> io::Result<()> {
        identity.workload = self.enter(&identity.workload, now)?;
        let generation = self.free.get(&slot).copied().unwrap_or(0) + 1;
        let given = Slot {
            generation,
            created: now,
            estimated: false,
            base: Totals::default(),
            identity,
            ended: None,
        };
        self.write(slot, given)?;
        self.free.remove(&slot);
        Ok(())
    }

    /// Changes what is known of a slot's interface; `change` may change the base as well.
    ///
    /// # Errors
    /// The kernel's.
    pub fn change(&mut self, slot: u32, change: impl FnOnce(&mut Slot)) -> io::Result<()> {
        let Some(mut found) = self.slots.get(&slot).cloned() else {
            return Ok(());
        };
        change(&mut found);
        self.write(slot, found)
    }

    /// Notes at `now`, in uptime, that a slot's interface is gone.
    ///
    /// # Errors
    /// The kernel's.
    pub fn end(&mut self, slot: u32, now: Duration) -> io::Result<()> {
        self.change(slot, |found| found.ended = found.ended.or(Some(now)))
    }

    /// Takes that back.
    ///
    /// # Errors
    /// The kernel's.
    pub fn revive(&mut self, slot: u32) -> io::Result<()> {
        self.change(slot, |found| found.ended = None)
    }

    /// What the device of a slot's interface counted and the slot did not.
    pub fn missed(&self, slot: u32, device: &DeviceCounts) -> [Count; 2] {
        // Until the former counts stand here, the device seems to have more than it has.
        let Some(found) = self
            .slots
            .get(&slot)
            .filter(|found| found.identity.former.is_none())
        else {
            return [Count::default(); 2];
        };
        let [received, sent] = self.store.counted(slot).by_device();
        let [base_received, base_sent] = found.identity.accounted();
        let missed = |device: Count, mut ours: Count, base| {
            add_count(&mut ours, base);
            match excess(device, ours) {
                // A macvlan counts the header of its neighbours' broadcasts twice.
                Count { packets: 0, .. } => Count::default(),
                more => more,
            }
        };
        [
            missed(device.receive.count, received, base_received),
            missed(device.transmit.count, sent, base_sent),
        ]
    }

    /// Adds to the base what the device counted and no program did, by [`Ledger::missed`]: the more
    /// was counted between the look at the device and that, the less it is. Nothing is added twice.
    ///
    /// # Errors
    /// The kernel's.
    pub fn make_up(&mut self, slot: u32, missed: [Count; 2]) -> io::Result<()> {
        let nothing = missed == [Count::default(); 2];
        if self.slots.get(&slot).is_none_or(|found| {
            found.identity.former.is_some() || (nothing && !found.identity.pending)
        }) {
            return Ok(());
        }
        self.change(slot, |found| {
            add_unnamed(&mut found.base, missed);
            for ((bytes, packets), more) in found.identity.accounted.iter_mut().zip(missed) {
                *bytes += more.bytes;
                *packets += more.packets;
            }
            found.estimated |= missed.iter().any(|more| more.packets > COMING_UP);
            found.identity.pending = false;
        })
    }

    fn write(&mut self, slot: u32, found: Slot) -> io::Result<()> {
        let state = match found.ended {
            None => OwnerState::Live,
            Some(_) => OwnerState::Ended,
        };
        let (identity, identity_len) = found.identity.encode();
        let owner = Owner {
            state: state_number(state),
            identity_len,
            generation: found.generation,
            created_ns: nanoseconds(found.created),
            flags: if found.estimated { ESTIMATED } else { 0 },
            base: found.base,
            identity,
        };
        self.store.set_owner(slot, &owner)?;
        self.slots.insert(slot, found);
        Ok(())
    }
}

fn read(owner: &Owner, now: Duration) -> Option<Slot> {
    Some(Slot {
        generation: owner.generation,
        created: timestamp(owner.created_ns),
        estimated: owner.flags & ESTIMATED != 0,
        base: owner.base,
        identity: Identity::decode(&owner.identity, owner.identity_len)?,
        ended: (owner.state != state_number(OwnerState::Live)).then_some(now),
    })
}

/// The time that stands in an owner or workload.
pub fn timestamp(nanoseconds: u64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default()
}

fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or_default()
}
