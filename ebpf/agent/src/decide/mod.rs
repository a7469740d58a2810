//! What to do next: pure, so that every order of events can be tried.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use berth_ebpf_common::OVERFLOW;
use berth_types::fnv1a;

use crate::kernel::hooks::Target;
use crate::kernel::load::Way;
use crate::kernel::pins::{Pin, PinName};
use crate::ledger::{Identity, Life, Slot};
use crate::model::Mode;
use crate::observe::{Found, file_name};

/// How long after the last program was detached nobody may count into a slot any more: a run that
/// had begun ends within microseconds.
pub const GRACE: Duration = Duration::from_secs(1);

/// What is known.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The records.
    pub found: &'a Found,
    /// Whose slots are.
    pub slots: &'a BTreeMap<u32, Slot>,
    /// Of those that have ended: which stand in their workload already.
    pub folded: &'a BTreeSet<u32>,
    /// All pinned links.
    pub pins: &'a [Pin],
    /// What tells the programs that each slot should have.
    pub fingerprints: &'a BTreeMap<u32, u64>,
    /// Slots whose hooks stay the same ones.
    pub kept: &'a BTreeSet<u32>,
    /// Slots whose filters or device are not what they were.
    pub lost: &'a BTreeSet<u32>,
    /// Interfaces that were tried in vain a moment ago.
    pub waiting: &'a BTreeSet<Life>,
    /// How many slots are nobody's.
    pub vacant: usize,
    /// The uptime.
    pub now: Duration,
    /// How long one that has ended is shown.
    pub hold: Duration,
}

/// One thing to do. Each can be repeated, and be killed anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a folded slot nobody's.
    Free(u32),
    /// Remove a pin that is nobody's.
    RemovePin(PinName),
    /// It has ended: note that.
    End(u32),
    /// It had not ended after all.
    Revive(u32),
    /// Take its programs away.
    Detach(u32),
    /// Fold it into its workload, and make the slot nobody's.
    Retire(u32),
    /// Give an interface a slot.
    Assign(Life),
    /// Count it with all others for which there is no slot.
    Overflow(Life),
    /// Make sure that it is counted, without a gap where that is possible.
    Attach {
        /// The slot.
        slot: u32,
        /// Whether it was counted without a gap until now.
        intact: Intact,
    },
}

/// Whether an interface's programs are all where they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intact {
    /// They are: replacing them leaves no gap.
    Yes,
    /// They are not: what the device counted meanwhile is to be made up for.
    No,
}

/// The pins of each slot and generation.
type Owned<'a> = BTreeMap<(u32, u64), Vec<&'a Pin>>;

/// Decides the steps, in the order they are to be done in.
pub fn reconcile(view: &View<'_>) -> Vec<Step> {
    let mut pins = Owned::new();
    for pin in view.pins {
        let owner = (pin.name.slot, pin.name.generation);
        pins.entry(owner).or_default().push(pin);
    }
    let mut steps = Vec::new();
    // Before another slot of the same workload is folded: only the last one is remembered.
    steps.extend(view.folded.iter().map(|slot| Step::Free(*slot)));
    steps.extend(stray_pins(view));
    for (slot, found) in view.slots {
        if !view.folded.contains(slot) {
            let own = pins.get(&(*slot, found.generation));
            let own = own.map_or(&[][..], Vec::as_slice);
            steps.extend(of_slot(view, *slot, found, own));
        }
    }
    steps.extend(arrivals(view, &pins));
    steps
}

/// The number that tells the pins of an interface without a slot.
pub fn overflow_number(life: &Life) -> u64 {
    let Life {
        container,
        ifname,
        incarnation,
    } = life;
    fnv1a(format!("{container}/{ifname}/{incarnation}").as_bytes())
}

/// Where and how the interface of a slot is attached to.
pub fn target(slot: u32, found: &Slot) -> Target {
    Target {
        slot,
        generation: found.generation,
        place: found.identity.place.clone(),
    }
}

/// The same of one that counts with all others.
pub fn overflow_target(identity: &Identity) -> Target {
    Target {
        slot: OVERFLOW,
        generation: overflow_number(&identity.life()),
        place: identity.place.clone(),
    }
}

fn stray_pins(view: &View<'_>) -> Vec<Step> {
    let overflow: BTreeSet<u64> = view.found.wanted.keys().map(overflow_number).collect();
    let is_stray = |pin: &&Pin| {
        let PinName {
            slot, generation, ..
        } = pin.name;
        if slot == OVERFLOW {
            return view.found.unlisted.is_none()
                && view.found.unreadable.is_empty()
                && !overflow.contains(&generation);
        }
        view.slots
            .get(&slot)
            .is_none_or(|found| found.generation != generation)
    };
    let stray = view.pins.iter().filter(is_stray);
    stray.map(|pin| Step::RemovePin(pin.name)).collect()
}

fn of_slot(view: &View<'_>, slot: u32, found: &Slot, pinned: &[&Pin]) -> Option<Step> {
    let life = found.identity.life();
    let wanted = view.found.wanted.contains_key(&life);
    let Some(ended) = found.ended else {
        if !wanted && has_ended(view.found, &life) {
            return Some(Step::End(slot));
        }
        if !wanted || view.waiting.contains(&life) {
            return None;
        }
        return attach(view, slot, found, pinned);
    };
    if wanted {
        return Some(Step::Revive(slot));
    }
    if found.identity.program != 0 || !pinned.is_empty() {
        return (!view.waiting.contains(&life)).then_some(Step::Detach(slot));
    }
    if found.identity.former.is_some() {
        return None;
    }
    // Slots that are needed are not kept for show.
    let hold = if view.vacant == 0 {
        GRACE
    } else {
        view.hold.max(GRACE)
    };
    (view.now.saturating_sub(ended) > hold).then_some(Step::Retire(slot))
}

/// Whether an interface of which there is no record is gone: not when nobody can tell.
fn has_ended(found: &Found, life: &Life) -> bool {
    let file = file_name(&life.container, &life.ifname);
    found.unlisted.is_none() && !found.unreadable.contains_key(&file)
}

fn attach(view: &View<'_>, slot: u32, found: &Slot, pinned: &[&Pin]) -> Option<Step> {
    let identity = &found.identity;
    let alive = |way: Way| {
        let is_alive = |pin: &&&Pin| pin.name.way == way && pin.ifindex != 0;
        pinned.iter().any(|pin| is_alive(&pin))
    };
    let linked = Way::BOTH.into_iter().all(alive);
    let complete = match identity.mode {
        [Mode::Tcx, Mode::Tcx] => linked,
        _ => true,
    };
    let intact = complete && !view.lost.contains(&slot) && !identity.pending;
    let current = view.fingerprints.get(&slot) == Some(&identity.program);
    if intact && current {
        return None;
    }
    let intact = if intact && view.kept.contains(&slot) {
        Intact::Yes
    } else {
        Intact::No
    };
    Some(Step::Attach { slot, intact })
}

fn arrivals(view: &View<'_>, pins: &Owned<'_>) -> Vec<Step> {
    let owned: BTreeSet<Life> = view
        .slots
        .values()
        .map(|slot| slot.identity.life())
        .collect();
    let overflowed = |life: &Life| {
        let own = pins.get(&(OVERFLOW, overflow_number(life)));
        let alive = own.into_iter().flatten().filter(|pin| pin.ifindex != 0);
        alive.count()
    };
    let mut vacant = view.vacant;
    let mut steps = Vec::new();
    for life in view.found.wanted.keys() {
        if owned.contains(life) || view.waiting.contains(life) {
            continue;
        }
        match overflowed(life) {
            2 => {}
            0 if vacant > 0 => {
                vacant -= 1;
                steps.push(Step::Assign(life.clone()));
            }
            _ => steps.push(Step::Overflow(life.clone())),
        }
    }
    steps
}
