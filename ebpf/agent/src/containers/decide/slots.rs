//! Which container counts into which slot.

use std::collections::{BTreeMap, BTreeSet};

use super::pods::{Pods, Wanted, full, own};
use super::{Seen, Step};
use crate::containers::identity::{PodKey, short_id};
use crate::containers::ledger::{Identity, Name, Slot};

/// Slots whose pods are gone end, and those that ended long ago become nobody's.
pub(super) fn ended(seen: &Seen<'_>, pods: &Pods<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let all_used = used(seen);
    for (number, slot) in seen.ledger.slots() {
        let used = all_used.contains(number);
        match slot.ended {
            _ if lives(pods, slot) => {}
            None => {
                let ended = Some(seen.around.now);
                let slot = slot.clone();
                steps.push(Step::Change(*number, Slot { ended, ..slot }));
            }
            Some(since) if !used && seen.around.now.saturating_sub(since) >= seen.around.hold => {
                steps.push(Step::Free(*number));
            }
            Some(_) => {}
        }
    }
    steps
}

/// Whether a slot is of a pod whose containers are told apart, and not one that turned out to be the
/// sandbox's.
fn lives(pods: &Pods<'_>, slot: &Slot) -> bool {
    let Identity { key, name, .. } = &slot.identity;
    let Some(view) = pods.split(key) else {
        return false;
    };
    let mut own = view.below.iter().filter_map(|wanted| match wanted {
        Wanted::Own { id, .. } => Some(short_id(id)),
        Wanted::Container { .. } => None,
    });
    match name {
        Name::Id(short) => !own.any(|id| id == short),
        Name::Known(_) => true,
    }
}

/// Gives every container that is told apart its slot.
pub(super) fn given(seen: &Seen<'_>, pods: &Pods<'_>) -> Vec<Step> {
    let mut giving = Giving {
        seen,
        vacant: &mut vacant(seen),
        given: BTreeMap::new(),
        by_name: by_name(seen),
        steps: Vec::new(),
    };
    for (_, view) in pods.iter().filter(|(_, view)| view.split) {
        for wanted in &view.below {
            match wanted {
                Wanted::Own { cgroup, .. } => giving.map(*cgroup, own()),
                Wanted::Container { cgroup, identity } => giving.container(*cgroup, identity),
            }
        }
    }
    let mut steps = named_late(seen);
    steps.extend(giving.steps);
    steps
}

/// Slots of containers that had ended before the runtime told their names.
fn named_late(seen: &Seen<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, slot) in seen.ledger.slots() {
        let Name::Id(short) = &slot.identity.name else {
            continue;
        };
        if let Some(name) = seen.around.runtime.name_by_short(short) {
            let mut named = slot.clone();
            named.identity.name = Name::Known(name.to_owned());
            named.identity = named.identity.kept();
            steps.push(Step::Change(*number, named));
        }
    }
    steps
}

/// Slots that something counts into.
fn used(seen: &Seen<'_>) -> BTreeSet<u32> {
    seen.mapped.values().copied().collect()
}

fn vacant<'a>(seen: &Seen<'a>) -> impl Iterator<Item = (u32, u64)> + use<'a> {
    let used = used(seen);
    let vacant = seen.ledger.vacant(seen.around.now);
    vacant.filter(move |(slot, _)| !used.contains(slot))
}

type Key<'a> = (&'a PodKey, &'a Name);

/// The lowest slot of each name.
fn by_name<'a>(seen: &Seen<'a>) -> BTreeMap<Key<'a>, u32> {
    let mut found = BTreeMap::new();
    for (number, slot) in seen.ledger.slots() {
        let Identity { key, name, .. } = &slot.identity;
        found.entry((key, name)).or_insert(*number);
    }
    found
}

struct Giving<'a, 'b> {
    seen: &'b Seen<'a>,
    vacant: &'b mut dyn Iterator<Item = (u32, u64)>,
    /// What this pass gave.
    given: BTreeMap<(PodKey, Name), u32>,
    by_name: BTreeMap<Key<'a>, u32>,
    steps: Vec<Step>,
}

impl Giving<'_, '_> {
    fn container(&mut self, cgroup: u64, identity: &Identity) {
        if let Some(number) = self.current(cgroup, identity) {
            self.confirm(number, identity);
            return;
        }
        let found = self.named(identity);
        if let Some(number) = found {
            self.confirm(number, identity);
        }
        match found.or_else(|| self.give(identity)) {
            Some(number) => self.map(cgroup, number),
            None => self.map(cgroup, full()),
        }
    }

    /// The slot that the cgroup counts into, when it is its pod's.
    fn current(&self, cgroup: u64, identity: &Identity) -> Option<u32> {
        let number = *self.seen.mapped.get(&cgroup)?;
        let slot = self.seen.ledger.slots().get(&number)?;
        (slot.identity.key == identity.key).then_some(number)
    }

    /// The slot of that name, which a container had that has ended.
    fn named(&self, identity: &Identity) -> Option<u32> {
        let Identity { key, name, .. } = identity;
        let given = self.given.get(&(key.clone(), name.clone()));
        given.or_else(|| self.by_name.get(&(key, name))).copied()
    }

    /// Writes down what has become known of a slot's container.
    fn confirm(&mut self, number: u32, identity: &Identity) {
        let Some(slot) = self.seen.ledger.slots().get(&number) else {
            return;
        };
        let mut identity = identity.clone();
        // The runtime is down; what it said before is as true.
        if matches!(identity.name, Name::Id(_)) {
            identity.name = slot.identity.name.clone();
        }
        if slot.identity != identity || slot.ended.is_some() {
            let Slot {
                generation,
                created,
                ended: _,
                identity: _,
            } = slot.clone();
            let ended = None;
            let changed = Slot {
                generation,
                created,
                ended,
                identity,
            };
            self.steps.push(Step::Change(number, changed));
        }
    }

    fn give(&mut self, identity: &Identity) -> Option<u32> {
        let (number, generation) = self.vacant.next()?;
        let slot = Slot {
            generation,
            created: self.seen.around.wall,
            ended: None,
            identity: identity.clone(),
        };
        let key = (identity.key.clone(), identity.name.clone());
        self.given.insert(key, number);
        self.steps.push(Step::Give(number, slot));
        Some(number)
    }

    fn map(&mut self, cgroup: u64, slot: u32) {
        if self.seen.mapped.get(&cgroup) != Some(&slot) {
            self.steps.push(Step::Map { cgroup, slot });
        }
    }
}
