//! Going on from another version's maps.
//!
//! 1. In maps that are new: what had ended there is set, and every live interface is given a slot
//!    that names its former one. Its totals are those of both.
//! 2. The links are pinned here as well, and then unpinned there. Their programs are replaced later,
//!    in place, and count here from then on.
//! 3. A second after that the former totals are written once into the base, by the same update that
//!    forgets the former slot.
//! 4. When none is left, the former maps are removed.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use berth_ebpf_common::Totals;
use jiff::Timestamp;

use super::former::{FormerOwner, Formers};
use super::{ESTIMATED, Former, Ledger, Store, add_count, add_totals};
use crate::kernel::bpf;
use crate::kernel::fault::checkpoint;
use crate::kernel::load::Way;
use crate::kernel::pins::{self, PinName};
use crate::model::WorkloadName;

/// [`berth_ebpf_common::OwnerState::Live`] as every version writes it.
const LIVE: u32 = 1;

impl<S: Store> Ledger<S> {
    /// Reads the slots that name one of `formers` with what they had counted there.
    pub fn read_with(&mut self, formers: Formers) {
        self.formers.insert(formers.abi(), formers);
    }

    /// Takes over from `abi`, into maps that are new. Can be repeated until [`Ledger::begin`].
    ///
    /// # Errors
    /// The kernel's.
    pub fn take_over(&mut self, abi: u32) -> io::Result<()> {
        let Some(formers) = self.formers.get(&abi) else {
            return Ok(());
        };
        let mut sums: BTreeMap<WorkloadName, (Timestamp, Totals)> = BTreeMap::new();
        let mut add = |name: Option<WorkloadName>, created, totals: &Totals| {
            let sum = sums.entry(name.unwrap_or_else(WorkloadName::others));
            let (first, sum) = sum.or_insert((created, Totals::default()));
            *first = created.min(*first);
            add_totals(sum, totals);
        };
        let workloads = formers.workloads()?;
        let mut live = Vec::new();
        for owner in formers.owners()? {
            let last = (owner.slot, owner.generation);
            if workloads.iter().any(|workload| workload.last == last) {
                continue;
            }
            match (&owner.identity, owner.state) {
                (Some(_), LIVE) => live.push(owner),
                (identity, _) => {
                    let mut totals = formers.counted(owner.slot)?.totals;
                    add_totals(&mut totals, &owner.base);
                    let name = identity.as_ref().map(|known| known.workload.clone());
                    add(name, owner.created, &totals);
                }
            }
        }
        for workload in workloads {
            add(workload.name, workload.created, &workload.totals);
        }
        self.restore_all(sums)?;
        for owner in live {
            self.take_over_live(abi, owner)?;
        }
        Ok(())
    }

    fn take_over_live(&mut self, abi: u32, owner: FormerOwner) -> io::Result<()> {
        let former = Former {
            abi,
            slot: owner.slot,
            generation: owner.generation,
        };
        let known = |slot: &super::Slot| slot.identity.former == Some(former);
        let (Some(mut identity), false) = (owner.identity, self.slots.values().any(known)) else {
            return Ok(());
        };
        let Some(slot) = self.vacant() else {
            return Ok(());
        };
        identity.former = Some(former);
        // Replaces the programs, which is what brings the counting here.
        identity.program = 0;
        // Comes with the rest, once.
        identity.accounted = [(0, 0); 2];
        self.assign(slot, identity, owner.created)?;
        self.change(slot, |found| found.estimated = owner.flags & ESTIMATED != 0)
    }

    /// Pins the links of slots that have a former one here.
    ///
    /// # Errors
    /// The kernel's.
    pub fn move_links(&self, folder: &Path) -> io::Result<()> {
        for (slot, found) in &self.slots {
            let Some(former) = found.identity.former else {
                continue;
            };
            let Some(formers) = self.formers.get(&former.abi) else {
                continue;
            };
            for way in Way::BOTH {
                let name = |slot, generation| PinName {
                    slot,
                    generation,
                    way,
                };
                let there = name(former.slot, former.generation).path(formers.folder());
                let Ok(link) = bpf::open(&there) else {
                    continue;
                };
                checkpoint("move-pin");
                match bpf::pin(link.as_fd(), &name(*slot, found.generation).path(folder)) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
                pins::remove(formers.folder(), name(former.slot, former.generation))?;
            }
        }
        Ok(())
    }

    /// What the former slot of one had counted in all; nothing for one that has none.
    pub(super) fn former_totals(&self, former: Former) -> io::Result<Totals> {
        let Some(formers) = self.formers.get(&former.abi) else {
            return Ok(Totals::default());
        };
        let mut totals = formers.counted(former.slot)?.totals;
        add_totals(&mut totals, &formers.owner(former.slot)?.base);
        Ok(totals)
    }

    /// Writes what the former slot had counted into the base. No program may count there any more.
    ///
    /// # Errors
    /// The kernel's.
    pub fn settle(&mut self, slot: u32) -> io::Result<()> {
        let former = self
            .slots
            .get(&slot)
            .and_then(|found| found.identity.former);
        let Some(former) = former else {
            return Ok(());
        };
        let totals = self.former_totals(former)?;
        let mut accounted = [berth_ebpf_common::Count::default(); 2];
        if let Some(formers) = self.formers.get(&former.abi) {
            accounted = formers.counted(former.slot)?.by_device();
            let before = formers.owner(former.slot)?.identity;
            let before = before.map(|identity| identity.accounted());
            for (to, more) in accounted.iter_mut().zip(before.into_iter().flatten()) {
                add_count(to, more);
            }
        }
        self.change(slot, |found| {
            add_totals(&mut found.base, &totals);
            for ((bytes, packets), more) in found.identity.accounted.iter_mut().zip(accounted) {
                *bytes += more.bytes;
                *packets += more.packets;
            }
            found.identity.former = None;
        })
    }

    /// Whether a slot goes on from one of version `abi`.
    pub fn names(&self, abi: u32) -> bool {
        let mut formers = self.slots.values().filter_map(|slot| slot.identity.former);
        formers.any(|former| former.abi == abi)
    }

    /// Removes former maps that no slot names any more.
    ///
    /// # Errors
    /// The kernel's.
    pub fn remove_formers(&mut self) -> io::Result<()> {
        let named = |abi: u32| {
            let mut formers = self.slots.values().filter_map(|slot| slot.identity.former);
            formers.any(|former| former.abi == abi)
        };
        let done: Vec<u32> = self
            .formers
            .keys()
            .copied()
            .filter(|abi| !named(*abi))
            .collect();
        for abi in done {
            if let Some(formers) = self.formers.get(&abi) {
                pins::remove_all(formers.folder())?;
            }
            self.formers.remove(&abi);
        }
        Ok(())
    }
}
