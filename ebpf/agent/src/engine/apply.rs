//! Doing one step. Whatever fails is noted, and tried again later.

use std::io;
use std::time::Duration;

use berth_ebpf_common::{Count, OVERFLOW};

use super::{Backoff, Engine, Moment};
use crate::decide::{self, Intact, Step};
use crate::kernel::hooks::{AttachError, Attached, Hooks};
use crate::ledger::{Life, Store};
use crate::model::Mode;
use crate::observe::Found;

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How often a device is looked at, for a moment in which nothing is counted.
const LOOKS: usize = 8;

impl<S: Store, H: Hooks> Engine<S, H> {
    pub(super) fn apply(&mut self, step: Step, found: &Found, now: Moment) {
        let done = match step {
            Step::Free(slot) => self.shared.ledger().free(slot),
            Step::RemovePin(pin) => self.hooks.remove(pin),
            Step::End(slot) => self.end(slot, now),
            Step::Revive(slot) => self.shared.ledger().revive(slot),
            Step::Detach(slot) => self.detach(slot, now),
            Step::Retire(slot) => self.retire(slot),
            Step::Assign(life) => self.assign(&life, found, now),
            Step::Overflow(life) => {
                self.overflow(&life, found, now);
                Ok(())
            }
            Step::Attach { slot, intact } => self.attach(slot, intact, now),
        };
        if let Err(error) = done {
            self.shared.notes().troubles.map_failed(&error);
        }
    }

    fn assign(&mut self, life: &Life, found: &Found, now: Moment) -> io::Result<()> {
        let Some(wanted) = found.wanted.get(life) else {
            return Ok(());
        };
        let mut ledger = self.shared.ledger();
        match ledger.vacant() {
            Some(slot) => ledger.assign(slot, wanted.identity.clone(), now.time),
            None => Ok(()),
        }
    }

    fn overflow(&mut self, life: &Life, found: &Found, now: Moment) {
        let Some(wanted) = found.wanted.get(life) else {
            return;
        };
        match self
            .hooks
            .attach(&decide::overflow_target(&wanted.identity))
        {
            Ok(Attached { mode, duplicates }) => {
                self.gone.remove(life);
                self.note_removed(life, OVERFLOW, duplicates);
                let known = (wanted.identity.clone(), mode);
                self.shared.notes().overflowed.insert(life.clone(), known);
            }
            Err(AttachError::Gone) => drop(self.gone.insert(life.clone())),
            Err(error) => self.failed(life, &error, now),
        }
        // Links are seen by their pins; nothing else would be tried again at once.
        self.pause(life, now);
    }

    fn end(&mut self, slot: u32, now: Moment) -> io::Result<()> {
        self.make_up(slot, Ways::OfDevice)?;
        self.shared.ledger().end(slot, now.uptime)?;
        let life = self.life(slot);
        self.backoff.retain(|known, _| Some(known) != life.as_ref());
        Ok(())
    }

    fn detach(&mut self, slot: u32, now: Moment) -> io::Result<()> {
        let Some(target) = self.target(slot) else {
            return Ok(());
        };
        if let Err(error) = self.hooks.detach(&target) {
            if let Some(life) = self.life(slot) {
                self.failed(&life, &error, now);
            }
            return Ok(());
        }
        self.lost.remove(&slot);
        self.shared.ledger().change(slot, |found| {
            found.identity.program = 0;
            // The time in which nobody counts any more begins here.
            found.ended = found.ended.map(|_| now.uptime);
        })
    }

    /// Folds and frees at once: what was folded last into a workload is all that is remembered.
    fn retire(&mut self, slot: u32) -> io::Result<()> {
        let mut ledger = self.shared.ledger();
        ledger.fold(slot)?;
        ledger.free(slot)?;
        drop(ledger);
        self.shared.notes().looks.remove(&slot);
        Ok(())
    }

    fn attach(&mut self, slot: u32, intact: Intact, now: Moment) -> io::Result<()> {
        let (Some(target), Some(life)) = (self.target(slot), self.life(slot)) else {
            return Ok(());
        };
        let pending = self
            .shared
            .ledger()
            .slots()
            .get(&slot)
            .is_some_and(|found| found.identity.pending);
        // Written first: whoever is killed from here on leaves word that something may be missing.
        if intact == Intact::No && !pending {
            self.shared
                .ledger()
                .change(slot, |found| found.identity.pending = true)?;
        }
        let (mode, program) = match self.hooks.attach(&target) {
            Ok(Attached { mode, duplicates }) => {
                self.backoff.remove(&life);
                self.gone.remove(&life);
                self.note_removed(&life, slot, duplicates);
                (mode, self.hooks.fingerprint(&target))
            }
            Err(AttachError::Gone) => {
                self.pause(&life, now);
                self.gone.insert(life);
                return Ok(());
            }
            Err(error) => {
                self.failed(&life, &error, now);
                let mode = match error {
                    AttachError::Netns(_) => Mode::Off,
                    _ => Mode::Device,
                };
                ([mode; 2], 0)
            }
        };
        self.lost.remove(&slot);
        self.shared.ledger().change(slot, |found| {
            found.identity.mode = mode;
            found.identity.program = program;
        })?;
        match intact {
            Intact::Yes => Ok(()),
            Intact::No => self.make_up(slot, Ways::Both),
        }
    }

    /// Adds what the device has counted and no program did. Each look finds at most that, as what is
    /// counted after it is taken off; a look while nothing is counted finds all of it.
    pub(super) fn make_up(&mut self, slot: u32, ways: Ways) -> io::Result<()> {
        let known = self.shared.ledger().slots().get(&slot).map(|found| {
            let uncounted = found.identity.mode.map(|mode| mode == Mode::Device);
            (found.identity.place.clone(), uncounted)
        });
        let Some((place, uncounted)) = known else {
            return Ok(());
        };
        if ways == Ways::OfDevice && !uncounted.contains(&true) {
            return Ok(());
        }
        let mut missed = [Count::default(); 2];
        for _ in 0..LOOKS {
            let before = self.shared.ledger().store().counted(slot);
            // Its device is gone: what it counted last stays unknown.
            let Ok(device) = self.hooks.look(&place) else {
                return Ok(());
            };
            if uncounted.contains(&false) {
                self.hooks.settle();
            }
            let ledger = self.shared.ledger();
            for (most, found) in missed.iter_mut().zip(ledger.missed(slot, &device.counts)) {
                most.bytes = most.bytes.max(found.bytes);
                most.packets = most.packets.max(found.packets);
            }
            if ledger.store().counted(slot) == before {
                break;
            }
        }
        for (missed, uncounted) in missed.iter_mut().zip(uncounted) {
            if ways == Ways::OfDevice && !uncounted {
                *missed = Count::default();
            }
        }
        self.shared.ledger().make_up(slot, missed)
    }

    /// Notes that an interface could not be attached to, and when to try again.
    fn failed(&mut self, life: &Life, error: &AttachError, now: Moment) {
        self.gone.remove(life);
        self.shared.notes().troubles.attach_failed(life, error);
        self.pause(life, now);
    }

    fn pause(&mut self, life: &Life, now: Moment) {
        let before = self.backoff.get(life).map(|backoff| backoff.pause);
        let pause = before.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        let next = now.uptime + pause;
        self.backoff.insert(life.clone(), Backoff { next, pause });
    }

    fn life(&self, slot: u32) -> Option<Life> {
        let ledger = self.shared.ledger();
        ledger.slots().get(&slot).map(|found| found.identity.life())
    }

    fn target(&self, slot: u32) -> Option<crate::kernel::hooks::Target> {
        let ledger = self.shared.ledger();
        ledger
            .slots()
            .get(&slot)
            .map(|found| decide::target(slot, found))
    }
}

/// For which directions the device's counters are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ways {
    /// All: the programs were away.
    Both,
    /// Those that no program counts.
    OfDevice,
}
