//! What is not as it should be, in words and in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tracing::warn;

use super::{Engine, Moment, Notes};
use crate::kernel::hooks::{AttachError, Hooks};
use crate::kernel::load::Way;
use crate::kernel::pins::Pin;
use crate::ledger::{Life, Store};
use crate::model::LinkCount;
use crate::observe::Found;

/// What went wrong so far.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    /// Failures to attach, by reason.
    pub attach: BTreeMap<&'static str, u64>,
    /// Updates of maps that failed.
    pub maps: u64,
    /// Comparisons with devices that failed, by reason.
    pub audit: BTreeMap<&'static str, u64>,
    /// What cannot be attached to just now, and why.
    pub unattached: BTreeMap<Life, String>,
    /// The last map failure.
    pub map: Option<String>,
    /// Records that cannot be read.
    pub records: Vec<String>,
    /// Why something is not there at all.
    pub missing: BTreeSet<String>,
    /// Records that were found.
    pub wanted: usize,
    /// Links, without those that count once more.
    pinned: Vec<LinkCount>,
    /// Links of ours that count a slot once more, receive and transmit, as far as they were seen.
    pub(super) duplicates: BTreeMap<u32, [u64; 2]>,
    /// How many of them were removed so far.
    pub duplicates_removed: [u64; 2],
}

impl Troubles {
    pub(super) fn map_failed(&mut self, error: &io::Error) {
        self.maps += 1;
        self.map = Some(format!("the kernel's maps: {error}"));
    }

    pub(super) fn attach_failed(&mut self, life: &Life, error: &AttachError) {
        *self.attach.entry(error.reason()).or_default() += 1;
        let why = format!(
            "{}/{}: {}; {}",
            life.container,
            life.ifname,
            Chain(error),
            error.hint()
        );
        self.unattached.insert(life.clone(), why);
    }

    /// All links, and those that count once more by themselves.
    pub fn links(&self) -> Vec<LinkCount> {
        let mut all = self.pinned.clone();
        for (at, way) in Way::BOTH.into_iter().enumerate() {
            let of = self.duplicates.values().filter_map(|more| more.get(at));
            let links: u64 = of.sum();
            if links > 0 {
                let (hook, state) = (way.name(), "duplicate");
                all.push(LinkCount { hook, state, links });
            }
        }
        all
    }

    /// A sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let mut all: Vec<String> = self.missing.iter().cloned().collect();
        all.extend(self.map.clone());
        all.extend(self.unattached.values().cloned());
        all.extend(self.records.iter().cloned());
        all
    }
}

/// An error with its causes.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

impl<S: Store, H: Hooks> Engine<S, H> {
    pub(super) fn note_records(&self, found: &Found) {
        let mut notes = self.shared.notes();
        if found.unlisted.is_none() {
            let pods = found.wanted.values();
            notes.pods = Some(pods.map(|wanted| wanted.identity.clone()).collect());
        }
        let troubles = &mut notes.troubles;
        troubles.wanted = found.wanted.len();
        troubles.records = found.unreadable.values().cloned().collect();
        troubles.records.extend(found.unlisted.clone());
        troubles
            .unattached
            .retain(|life, _| found.wanted.contains_key(life));
        let Notes { overflowed, .. } = &mut *notes;
        overflowed.retain(|life, _| found.wanted.contains_key(life));
    }

    /// A slot is counted when something counts both of its ways, be it the device.
    pub(super) fn note_waiting(&mut self, found: &Found, now: Moment) {
        if found.unlisted.is_some() {
            return;
        }
        self.gone.retain(|life| found.wanted.contains_key(life));
        let mut settled = self.gone.clone();
        let ledger = self.shared.ledger();
        let slots = ledger.slots().values();
        let counted = slots.filter(|slot| slot.ended.is_none() && slot.is_counted());
        settled.extend(counted.map(|slot| slot.identity.life()));
        drop(ledger);
        let mut notes = self.shared.notes();
        settled.extend(notes.overflowed.keys().cloned());
        let records = found.wanted.iter();
        let records = records.map(|(life, wanted)| (life, wanted.written));
        notes.waiting.note(records, &settled, now);
    }

    /// What counted an interface once more is not there any more.
    pub(super) fn note_removed(&self, life: &Life, slot: u32, removed: [u64; 2]) {
        let mut notes = self.shared.notes();
        let troubles = &mut notes.troubles;
        troubles.duplicates.remove(&slot);
        for (sum, removed) in troubles.duplicates_removed.iter_mut().zip(removed) {
            *sum += removed;
        }
        drop(notes);
        if removed != [0; 2] {
            let Life {
                container, ifname, ..
            } = life;
            let links = removed.iter().sum::<u64>();
            warn!(
                %container, %ifname, links,
                "was counted twice by links of ours beside its own, which are removed; if that comes \
                 again, look for a second agent, or one with another --bpffs"
            );
        }
    }

    pub(super) fn note_links(&self, pins: &[Pin]) {
        let ledger = self.shared.ledger();
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for pin in pins {
            let own = ledger.slots().get(&pin.name.slot);
            let owned = pin.name.slot == berth_ebpf_common::OVERFLOW
                || own.is_some_and(|own| own.generation == pin.name.generation);
            let state = match (owned, pin.ifindex) {
                (false, _) => "orphan",
                (true, 0) => "defunct",
                (true, _) => "attached",
            };
            *counts.entry((pin.name.way.name(), state)).or_default() += 1;
        }
        let attached: BTreeSet<Life> = ledger
            .slots()
            .values()
            .filter(|slot| slot.identity.program != 0)
            .map(|slot| slot.identity.life())
            .collect();
        drop(ledger);
        let mut notes = self.shared.notes();
        notes
            .troubles
            .unattached
            .retain(|life, _| !attached.contains(life));
        notes.troubles.pinned = counts
            .into_iter()
            .map(|((hook, state), links)| LinkCount { hook, state, links })
            .collect();
    }
}
