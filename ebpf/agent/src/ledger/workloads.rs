//! What those had counted that have ended, by workload.

use std::collections::BTreeMap;
use std::io;

use berth_ebpf_common::{Totals, Workload, WorkloadKey};
use berth_types::fnv1a;
use jiff::Timestamp;
use nix::errno::Errno;

use super::{Ledger, Store, add_totals, nanoseconds, nobody, timestamp};
use crate::model::WorkloadName;

/// How many keys are tried for one workload. Names that fall on one key can be made by will.
const TRIES: u8 = 8;

/// No slot.
const NO_SLOT: u32 = u32::MAX;

/// A workload's entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When the first of its interfaces was counted.
    pub created: Timestamp,
    /// What those had counted that have ended and were folded.
    pub totals: Totals,
}

impl<S: Store> Ledger<S> {
    /// Makes the entry of those for which there will be no room, while there is. To be done before
    /// anything else in new maps.
    ///
    /// # Errors
    /// The kernel's.
    pub fn reserve(&mut self, now: Timestamp) -> io::Result<()> {
        self.enter(&WorkloadName::others(), now).map(drop)
    }

    /// Makes sure that `name` has an entry, and answers whose entry its interfaces are folded into:
    /// its own, or, when there is room for no more, that of all others.
    pub(super) fn enter(
        &mut self,
        name: &WorkloadName,
        now: Timestamp,
    ) -> io::Result<WorkloadName> {
        for name in [name.clone(), WorkloadName::others()] {
            let Some((key, found)) = self.find(&name)? else {
                continue;
            };
            if found.is_some() {
                return Ok(name);
            }
            let Some(entry) = fresh(&name, now) else {
                continue;
            };
            match self.store.set_workload(&key, &entry) {
                Ok(()) => return Ok(name),
                Err(error) if is_full(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(WorkloadName::others())
    }

    /// Whether a slot that has ended stands in its workload already.
    ///
    /// # Errors
    /// The kernel's.
    pub fn is_folded(&self, slot: u32) -> io::Result<bool> {
        let Some(found) = self.slots.get(&slot) else {
            return Ok(false);
        };
        let entry = self.find(found.workload())?;
        Ok(entry
            .and_then(|(_, entry)| entry)
            .is_some_and(|entry| (entry.slot, entry.generation) == (slot, found.generation)))
    }

    /// Adds what a slot has counted to its workload, in one update, and nothing when that is done.
    /// No program may count into it, and it has to be freed before another one of the workload is
    /// folded.
    ///
    /// # Errors
    /// The kernel's.
    pub fn fold(&mut self, slot: u32) -> io::Result<()> {
        let Some(found) = self.slots.get(&slot) else {
            return Ok(());
        };
        if self.is_folded(slot)? {
            return Ok(());
        }
        let (generation, created) = (found.generation, found.created);
        // The entry is there since the slot was assigned, unless somebody removed it.
        let name = found.workload().clone();
        let entered = self.enter(&name, created)?;
        if entered != name {
            self.change(slot, |found| found.identity.workload = entered.clone())?;
        }
        let Some((key, Some(entry))) = self.find(&entered)? else {
            return Err(Errno::ENOENT.into());
        };
        let mut totals = entry.totals;
        add_totals(&mut totals, &self.totals(slot));
        let folded = Workload {
            slot,
            generation,
            totals,
            ..entry
        };
        self.store.set_workload(&key, &folded)
    }

    /// Sets a folded slot's counters to zero, and makes it nobody's.
    ///
    /// # Errors
    /// The kernel's.
    pub fn free(&mut self, slot: u32) -> io::Result<()> {
        let Some(generation) = self.slots.get(&slot).map(|found| found.generation) else {
            return Ok(());
        };
        self.store.clear(slot)?;
        self.store.set_owner(slot, &nobody(generation))?;
        self.slots.remove(&slot);
        self.free.insert(slot, generation);
        Ok(())
    }

    /// Every workload, with what has ended.
    ///
    /// # Errors
    /// The kernel's.
    pub fn workloads(&self) -> io::Result<BTreeMap<WorkloadName, Entry>> {
        let mut all = BTreeMap::new();
        for (_, entry) in self.store.workloads()? {
            let Workload {
                slot: _,
                generation: _,
                reserved: _,
                identity_len,
                created_ns,
                totals,
                identity,
            } = entry;
            let name = WorkloadName::decode(&identity, identity_len);
            let name = name.unwrap_or_else(WorkloadName::others);
            let created = timestamp(created_ns);
            let known = all.entry(name).or_insert(Entry {
                created,
                totals: Totals::default(),
            });
            add_totals(&mut known.totals, &totals);
        }
        Ok(all)
    }

    /// Sets what had ended of a workload when it was written down last, and answers whether it has
    /// an entry of its own. Nothing may have been folded yet: it is set, not added, so that it can be
    /// repeated.
    ///
    /// # Errors
    /// The kernel's.
    pub fn restore(
        &mut self,
        name: &WorkloadName,
        totals: &Totals,
        at: Timestamp,
    ) -> io::Result<bool> {
        if self.enter(name, at)? != *name {
            return Ok(false);
        }
        if let Some((key, Some(entry))) = self.find(name)? {
            let restored = Workload {
                totals: *totals,
                // The one that was reserved is older than this agent.
                created_ns: entry.created_ns.min(nanoseconds(at)),
                ..entry
            };
            self.store.set_workload(&key, &restored)?;
        }
        Ok(true)
    }

    /// [`Ledger::restore`] of all of `sums`; those for which there is no room are one together.
    ///
    /// # Errors
    /// The kernel's.
    pub fn restore_all(
        &mut self,
        mut sums: BTreeMap<WorkloadName, (Timestamp, Totals)>,
    ) -> io::Result<()> {
        let others = WorkloadName::others();
        let none = (Timestamp::MAX, Totals::default());
        let (mut first, mut rest) = sums.remove(&others).unwrap_or(none);
        for (workload, (created, totals)) in sums {
            if !self.restore(&workload, &totals, created)? {
                add_totals(&mut rest, &totals);
                first = first.min(created);
            }
        }
        if rest != Totals::default() {
            self.restore(&others, &rest, first)?;
        }
        Ok(())
    }

    /// The key that `name` has or would have, and its entry; `None` when all its keys are taken.
    fn find(&self, name: &WorkloadName) -> io::Result<Option<(WorkloadKey, Option<Workload>)>> {
        for attempt in 0..TRIES {
            let key = key(name, attempt);
            let Some(entry) = self.store.workload(&key)? else {
                return Ok(Some((key, None)));
            };
            if WorkloadName::decode(&entry.identity, entry.identity_len).as_ref() == Some(name) {
                return Ok(Some((key, Some(entry))));
            }
        }
        Ok(None)
    }
}

fn fresh(name: &WorkloadName, now: Timestamp) -> Option<Workload> {
    let (identity, identity_len) = name.encode()?;
    Some(Workload {
        slot: NO_SLOT,
        identity_len,
        generation: 0,
        created_ns: nanoseconds(now),
        reserved: 0,
        totals: Totals::default(),
        identity,
    })
}

fn key(name: &WorkloadName, attempt: u8) -> WorkloadKey {
    let WorkloadName {
        namespace,
        kind,
        name,
    } = name;
    // No part of a name has a zero in it.
    let text = format!("{attempt}\0{kind}\0{namespace}\0{name}");
    let halves = [
        fnv1a(text.as_bytes()),
        fnv1a(format!("{text}\0").as_bytes()),
    ];
    let mut whole = [0; 16];
    for (to, from) in whole
        .iter_mut()
        .zip(halves.iter().flat_map(|half| half.to_be_bytes()))
    {
        *to = from;
    }
    WorkloadKey(whole)
}

fn is_full(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::E2BIG)
}
