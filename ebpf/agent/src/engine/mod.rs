//! The loop: looks at the records and the kernel, decides, and does one step after the other.

mod apply;
mod audit;
mod clock;
mod health;
mod run;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnetwork::IpNetwork;
use jiff::Timestamp;

use crate::decide::{self, Step, View};
use crate::kernel::hooks::Hooks;
use crate::kernel::pins::Pin;
use crate::ledger::{Identity, Ledger, Life, Store};
use crate::model::{DeviceCounts, Mode};
use crate::observe::Found;
use crate::scope::scopes;
pub use clock::now;
pub use health::{Chain, Troubles};
pub use run::{Stop, run};
pub use waiting::Waiting;

/// How often decisions are made anew after steps that open the way for others.
const ROUNDS: usize = 4;

/// What ends sooner than this is not left to the next sweep.
const RESTLESS: Duration = Duration::from_secs(10);

/// A moment, by both clocks: one that people read, and one that never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// What people call it.
    pub time: Timestamp,
    /// Since the machine started.
    pub uptime: Duration,
}

/// What the loop and those who ask share.
#[derive(Debug)]
pub struct Shared<S> {
    ledger: Mutex<Ledger<S>>,
    notes: Mutex<Notes>,
}

/// What is known beside the ledger. Forgotten with the process.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What was seen of the devices, by slot.
    pub looks: BTreeMap<u32, Look>,
    /// The interfaces that count with all others, and how.
    pub overflowed: BTreeMap<Life, (Identity, [Mode; 2])>,
    /// Whose records there were when they could be listed last; absent before.
    pub pods: Option<Vec<Identity>>,
    /// The records that wait to be counted.
    pub waiting: Waiting,
    /// What is not as it should be.
    pub troubles: Troubles,
}

/// What was seen of a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Its index where it is.
    pub ifindex: u32,
    /// Its counters.
    pub counts: DeviceCounts,
    /// By how much they and ours differ, receive and transmit.
    pub drift: Option<[f64; 2]>,
}

/// Keeps every interface counted.
#[derive(Debug)]
pub struct Engine<S, H> {
    shared: Arc<Shared<S>>,
    hooks: H,
    hold: Duration,
    clusters: Vec<IpNetwork>,
    /// Interfaces that could not be attached to, and when to try again.
    backoff: BTreeMap<Life, Backoff>,
    /// Interfaces that were not there when they were to be attached to.
    gone: BTreeSet<Life>,
    /// Slots whose filters are gone, or that something counts twice.
    lost: BTreeSet<u32>,
    /// Since when slots that go on from another version's count here alone.
    moved: BTreeMap<u32, Duration>,
}

/// When to try again.
#[derive(Clone, Copy, Debug)]
struct Backoff {
    next: Duration,
    pause: Duration,
}

impl<S: Store> Shared<S> {
    /// Around `ledger`.
    pub fn new(ledger: Ledger<S>) -> Arc<Self> {
        Arc::new(Self {
            ledger: Mutex::new(ledger),
            notes: Mutex::default(),
        })
    }

    /// The ledger. Keep it for microseconds: readers wait.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger<S>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The notes.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Store, H: Hooks> Engine<S, H> {
    /// One that shows what has ended for `hold`, and takes `clusters` for prefixes of the clusters.
    pub fn new(shared: Arc<Shared<S>>, hooks: H, hold: Duration, clusters: Vec<IpNetwork>) -> Self {
        Self {
            clusters,
            shared,
            hooks,
            hold,
            backoff: BTreeMap::new(),
            gone: BTreeSet::new(),
            lost: BTreeSet::new(),
            moved: BTreeMap::new(),
        }
    }

    /// Brings everything to where `found` says it should be, as far as it can be now. Stops between
    /// two steps when `stop` says so.
    ///
    /// # Errors
    /// The kernel's, when not even its maps can be read.
    pub fn pass(&mut self, found: &Found, now: Moment, stop: &dyn Fn() -> bool) -> io::Result<()> {
        self.note_records(found);
        self.note_waiting(found, now);
        // Before anything is counted by them.
        if found.unlisted.is_none()
            && let Err(error) = self.hooks.tell(&scopes(found, &self.clusters))
        {
            self.shared.notes().troubles.map_failed(&error);
        }
        let mut pins = self.hooks.pins()?;
        for _ in 0..ROUNDS {
            let steps = self.decide(found, &pins, now)?;
            if steps.is_empty() {
                break;
            }
            for step in steps {
                if stop() {
                    return Ok(());
                }
                self.apply(step, found, now);
            }
            pins = self.hooks.pins()?;
        }
        self.note_waiting(found, now);
        self.settle(&pins, now)?;
        self.note_links(&pins);
        Ok(())
    }

    /// Whether something waits for nothing but time, and not for long.
    fn is_restless(&self) -> bool {
        let soon = self.hold < RESTLESS;
        let ledger = self.shared.ledger();
        !self.moved.is_empty() || (soon && ledger.slots().values().any(|slot| slot.ended.is_some()))
    }

    /// Writes what other versions' slots had counted into ours, when nobody counts there any more, and
    /// removes their maps at last.
    fn settle(&mut self, pins: &[Pin], now: Moment) -> io::Result<()> {
        let vanished = self.vanished(pins);
        let mut ledger = self.shared.ledger();
        let mut here = Vec::new();
        for (slot, found) in ledger.slots() {
            if found.identity.former.is_none() {
                continue;
            }
            let target = decide::target(*slot, found);
            let replaced = found.identity.program == self.hooks.fingerprint(&target);
            let detached = found.ended.is_some() && found.identity.program == 0;
            if replaced || detached || vanished.contains(slot) {
                here.push(*slot);
            }
        }
        for slot in here {
            let since = *self.moved.entry(slot).or_insert(now.uptime);
            if now.uptime.saturating_sub(since) > decide::GRACE {
                ledger.settle(slot)?;
                self.moved.remove(&slot);
            }
        }
        ledger.remove_formers()
    }

    /// Slots whose interface is gone though their record is there, and that no link counts into: as
    /// when a namespace ended without DEL. What their device has more, should it be there again, is made
    /// up for when it is attached to.
    fn vanished(&self, pins: &[Pin]) -> BTreeSet<u32> {
        if self.gone.is_empty() {
            return BTreeSet::new();
        }
        let counted: BTreeSet<u32> = pins
            .iter()
            .filter(|pin| pin.ifindex != 0)
            .map(|pin| pin.name.slot)
            .collect();
        let ledger = self.shared.ledger();
        let slots = ledger.slots().iter();
        let gone = slots.filter(|(_, found)| self.gone.contains(&found.identity.life()));
        gone.map(|(slot, _)| *slot)
            .filter(|slot| !counted.contains(slot))
            .collect()
    }

    fn decide(&self, found: &Found, pins: &[Pin], now: Moment) -> io::Result<Vec<Step>> {
        let ledger = self.shared.ledger();
        let mut folded = BTreeSet::new();
        let mut fingerprints = BTreeMap::new();
        let mut kept = BTreeSet::new();
        for (slot, owned) in ledger.slots() {
            if owned.ended.is_some() && ledger.is_folded(*slot)? {
                folded.insert(*slot);
            }
            let target = decide::target(*slot, owned);
            if self.hooks.keeps(owned.identity.mode) {
                kept.insert(*slot);
            }
            fingerprints.insert(*slot, self.hooks.fingerprint(&target));
        }
        let waiting = self
            .backoff
            .iter()
            .filter(|(_, backoff)| backoff.next > now.uptime)
            .map(|(life, _)| life.clone())
            .collect();
        Ok(decide::reconcile(&View {
            found,
            slots: ledger.slots(),
            folded: &folded,
            pins,
            fingerprints: &fingerprints,
            kept: &kept,
            lost: &self.lost,
            waiting: &waiting,
            vacant: ledger.vacancies(),
            now: now.uptime,
            hold: self.hold,
        }))
    }
}
