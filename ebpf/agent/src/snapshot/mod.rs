//! What is known at one moment, in [`crate::model`]'s shape.

mod json;

use std::collections::{BTreeMap, BTreeSet};

use berth_ebpf_common::{OVERFLOW, Totals, maps};
use berth_types::NodeName;
use jiff::Timestamp;

use crate::engine::{Moment, Notes, Shared};
use crate::ledger::{Identity, Ledger, Slot, Store, add_totals};
use crate::model::{Health, Interface, Mode, Snapshot, Workload, WorkloadName};
pub use json::json;

/// Who answers, and since when.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The node.
    pub node: NodeName,
    /// When it started.
    pub started: Timestamp,
    /// The running kernel's release.
    pub kernel: String,
}

/// Reads everything.
pub fn take<S: Store>(shared: &Shared<S>, agent: &Agent, now: Moment) -> Snapshot {
    let notes = shared.notes().clone();
    // Under one lock: a slot that is folded meanwhile would be counted twice, or not at all.
    let mut snapshot = of(&shared.ledger(), &notes, agent, now.time);
    snapshot.health.events_lag = Some(notes.waiting.lag(now.uptime).as_secs_f64());
    snapshot
}

/// Reads everything of `ledger`, with what `notes` know beside it. Whether records wait is known to the
/// agent alone.
pub fn of<S: Store>(
    ledger: &Ledger<S>,
    notes: &Notes,
    agent: &Agent,
    taken: Timestamp,
) -> Snapshot {
    let mut workloads = BTreeMap::new();
    let entries = ledger.workloads().unwrap_or_default();
    for (name, entry) in entries {
        workloads.insert(name, (entry.created, entry.totals));
    }
    let mut interfaces = Vec::new();
    for (number, slot) in ledger.slots() {
        let totals = ledger.totals(*number);
        // What is folded already stands in the entry above.
        if slot.ended.is_none() || !ledger.is_folded(*number).unwrap_or(false) {
            let sum = workloads.entry(slot.workload().clone());
            let (created, sum) = sum.or_insert((slot.created, Totals::default()));
            *created = (*created).min(slot.created);
            add_totals(sum, &totals);
        }
        interfaces.push(interface(*number, slot, &totals, notes));
    }
    // Kept for those that find no room.
    let others = WorkloadName::others();
    workloads.retain(|name, (_, totals)| *name != others || *totals != Totals::default());
    let overflow = ledger.store().counted(OVERFLOW).totals;
    if overflow != Totals::default() {
        workloads.insert(WorkloadName::overflow(), (agent.started, overflow));
    }
    let overflowed = notes.overflowed.values();
    interfaces.extend(overflowed.map(|(identity, mode)| overflowing(identity, *mode, agent)));
    let workloads = workloads.into_iter();
    Snapshot {
        taken,
        node: agent.node.clone(),
        interfaces: newest_of_each(interfaces),
        containers: Vec::new(),
        workloads: workloads
            .map(|(name, (created, totals))| Workload {
                name,
                created,
                totals,
            })
            .collect(),
        unattributed: Vec::new(),
        health: health(ledger, notes, agent),
    }
}

fn interface(number: u32, slot: &Slot, totals: &Totals, notes: &Notes) -> Interface {
    let look = notes.looks.get(&number);
    Interface {
        created: slot.created,
        estimated: slot.estimated,
        overflowed: false,
        ended: slot.ended.is_some(),
        totals: *totals,
        device: look.map(|look| look.counts),
        drift: look.and_then(|look| look.drift),
        ..of_identity(&slot.identity, slot.identity.mode)
    }
}

/// One that counts with all others. What it counted cannot be told: its totals are zero, and the
/// sum of all such is a workload's of its own.
fn overflowing(identity: &Identity, mode: [Mode; 2], agent: &Agent) -> Interface {
    Interface {
        created: agent.started,
        overflowed: true,
        ..of_identity(identity, mode)
    }
}

fn of_identity(identity: &Identity, mode: [Mode; 2]) -> Interface {
    Interface {
        pod: identity.pod.clone(),
        container: identity.container.clone(),
        ifname: identity.ifname.clone(),
        network: identity.network.clone(),
        workload: identity.workload.clone(),
        app: None,
        driver: identity.driver,
        ip_family: identity.family.label(),
        mode,
        created: Timestamp::UNIX_EPOCH,
        estimated: false,
        overflowed: false,
        ended: false,
        totals: Totals::default(),
        device: None,
        drift: None,
    }
}

/// Of the interfaces that have one name, as when a pod of a `StatefulSet` is made anew, the one that
/// lives, or else the newest. What the others counted is in their workload's sum.
fn newest_of_each(interfaces: Vec<Interface>) -> Vec<Interface> {
    let mut newest: BTreeMap<_, Interface> = BTreeMap::new();
    for interface in interfaces {
        let name = (
            interface.pod.namespace.clone(),
            interface.pod.name.clone(),
            interface.ifname.clone(),
        );
        let age = |interface: &Interface| (!interface.ended, interface.created);
        match newest.get(&name) {
            Some(known) if age(known) >= age(&interface) => {}
            _ => drop(newest.insert(name, interface)),
        }
    }
    newest.into_values().collect()
}

fn health<S: Store>(ledger: &Ledger<S>, notes: &Notes, agent: &Agent) -> Health {
    let troubles = &notes.troubles;
    let slots = ledger.slots();
    let counted = slots
        .values()
        .filter(|slot| slot.ended.is_none() && slot.is_counted());
    let counted = counted.count() + notes.overflowed.len();
    let mut degraded = troubles.sentences();
    degraded.extend(words(ledger, notes));
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Health {
        started: agent.started.as_duration().as_secs_f64(),
        coverage: (troubles.wanted, counted.min(troubles.wanted)),
        links: troubles.links(),
        duplicates_removed: troubles.duplicates_removed,
        attach_failures: troubles
            .attach
            .iter()
            .map(|(reason, failures)| ("interface".into(), (*reason).into(), *failures))
            .collect(),
        maps: vec![(
            maps::SLOTS.into(),
            number(slots.len()),
            u64::from(ledger.store().slots()),
            0,
        )],
        map_failures: vec![(maps::OWNERS.into(), troubles.maps)],
        audit_failures: troubles
            .audit
            .iter()
            .map(|(reason, failures)| ((*reason).into(), *failures))
            .collect(),
        degraded,
        kernel: agent.kernel.clone(),
        ..Health::default()
    }
}

fn words<S: Store>(ledger: &Ledger<S>, notes: &Notes) -> Vec<String> {
    let mut words = Vec::new();
    if !notes.overflowed.is_empty() {
        words.push(format!(
            "{} interfaces have no slot of their own and are counted together: all {} are taken",
            notes.overflowed.len(),
            ledger.store().slots() - 1,
        ));
    }
    if !ledger.unreadable().is_empty() {
        words.push(format!(
            "slots {:?} cannot be read and are left alone",
            ledger.unreadable()
        ));
    }
    let by_device: BTreeSet<_> = ledger
        .slots()
        .values()
        .filter(|slot| slot.ended.is_none() && slot.identity.mode.contains(&Mode::Device))
        .map(|slot| format!("{}/{}", slot.identity.container, slot.identity.ifname))
        .collect();
    if !by_device.is_empty() {
        words.push(format!(
            "{} interfaces are counted by their devices' own counters, {} among them",
            by_device.len(),
            by_device.first().map_or("", String::as_str),
        ));
    }
    words
}
