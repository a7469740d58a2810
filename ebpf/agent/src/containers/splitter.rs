//! One look after the other: decide, apply, tell.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use berth_ebpf_common::Unattributed;

use super::apply::{Kernel, LinkName, Target};
use super::decide::{self, Around, LinkState, Seen, Step};
use super::failures::Failures;
use super::ledger::{Identity, Ledger, Name, Slot};
use crate::model::{Container, ContainerCounts, Pod};

/// How long a pod is left alone to whose cgroup nothing could be attached.
const RETRY: Duration = Duration::from_secs(30);

/// Tells containers apart, by what `K` is.
#[derive(Debug)]
pub struct Splitter<K> {
    kernel: K,
    ledger: Ledger,
    mapped: BTreeMap<u64, u32>,
    missing: BTreeMap<u64, Duration>,
    links: BTreeMap<LinkName, bool>,
    /// What this process has put there.
    placed: BTreeMap<LinkName, u32>,
    /// When a link is tried again.
    retry: BTreeMap<LinkName, Duration>,
    /// Slots whose owners could not be written down this time.
    unowned: BTreeSet<u32>,
    failures: Failures,
}

impl<K: Kernel> Splitter<K> {
    /// Goes on with what stands in the kernel. `now` is the uptime.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(mut kernel: K, now: Duration) -> io::Result<Self> {
        let ledger = Ledger::open(&mut kernel, now)?;
        let mapped = kernel.mapped()?;
        let links = kernel.links()?;
        Ok(Self {
            kernel,
            ledger,
            mapped,
            missing: BTreeMap::new(),
            links,
            placed: BTreeMap::new(),
            retry: BTreeMap::new(),
            unowned: BTreeSet::new(),
            failures: Failures::default(),
        })
    }

    /// Looks at what there is, and does what is to be done.
    ///
    /// # Errors
    /// See [`Splitter::plan`].
    pub fn pass(&mut self, around: &Around<'_>) -> io::Result<()> {
        for step in self.plan(around)? {
            self.apply(step, around.now);
        }
        Ok(())
    }

    /// Looks at what there is, and says what is to be done, in that order.
    ///
    /// # Errors
    /// The kernel's, when not even the links can be listed.
    pub fn plan(&mut self, around: &Around<'_>) -> io::Result<Vec<Step>> {
        self.unowned.clear();
        self.failures.begin(around.tree);
        self.links = self.kernel.links()?;
        self.placed.retain(|name, _| self.links.contains_key(name));
        self.note_missing(around);
        let links: BTreeMap<LinkName, LinkState> = self
            .links
            .iter()
            .map(|(name, alive)| {
                let (alive, constant) = (*alive, self.placed.get(name).copied());
                (*name, LinkState { alive, constant })
            })
            .collect();
        Ok(decide::decide(&Seen {
            around,
            ledger: &self.ledger,
            mapped: &self.mapped,
            missing: &self.missing,
            links: &links,
        }))
    }

    /// Does one thing. What fails is counted in [`Splitter::failures`], and will be planned again.
    pub fn apply(&mut self, step: Step, now: Duration) {
        match step {
            // A slot whose owner could not be written down is not counted into.
            Step::Map { slot, .. } if self.unowned.contains(&slot) => {}
            Step::Attach(target) => self.attach(&target, now),
            Step::Give(slot, _) | Step::Change(slot, _) | Step::Free(slot) => {
                if let Err(error) = self.own(step, now) {
                    self.unowned.insert(slot);
                    self.failures.map_failed("container_owners", &error);
                }
            }
            Step::Map { .. } | Step::Unmap(_) | Step::Detach(_) => self.place(&step),
        }
    }

    /// What is counted, of the containers of pods that live or ended a moment ago.
    pub fn containers(&self) -> Vec<Container> {
        let mut found: BTreeMap<(&Pod, &str), Container> = BTreeMap::new();
        for (number, slot) in self.shown() {
            let Identity { key: _, pod, name } = &slot.identity;
            let counts = self.kernel.counts(*number);
            // As a sandbox that was not known for one, or a container that never spoke.
            if slot.ended.is_some() && counts == ContainerCounts::default() {
                continue;
            }
            let fresh = || Container {
                pod: pod.clone(),
                name: name.as_str().to_owned(),
                created: slot.created,
                counts: ContainerCounts::default(),
            };
            let container = found.entry((pod, name.as_str())).or_insert_with(fresh);
            container.counts.add(&counts);
            container.created = container.created.min(slot.created);
        }
        found.into_values().collect()
    }

    /// What no container could be named for.
    pub fn unattributed(&self) -> Vec<(Unattributed, ContainerCounts)> {
        let all = Unattributed::ALL.into_iter().zip(0_u32..);
        all.map(|(reason, slot)| (reason, self.kernel.counts(slot)))
            .collect()
    }

    /// How many links there are, and how many of them without their cgroup.
    pub fn links(&self) -> (usize, usize) {
        let defunct = self.links.values().filter(|alive| !**alive).count();
        (self.links.len() - defunct, defunct)
    }

    /// Slots that are somebody's, and cgroups that count.
    pub fn used(&self) -> (usize, usize) {
        (self.ledger.slots().len(), self.mapped.len())
    }

    /// Containers whose names nobody has told.
    pub fn nameless(&self) -> usize {
        let slots = self
            .ledger
            .slots()
            .values()
            .filter(|slot| slot.ended.is_none());
        slots
            .filter(|slot| matches!(slot.identity.name, Name::Id(_)))
            .count()
    }

    /// What did not go well so far.
    pub const fn failures(&self) -> &Failures {
        &self.failures
    }

    /// The kernel's side.
    pub const fn kernel(&self) -> &K {
        &self.kernel
    }

    /// Those slots that are told of: of two pods of one name, the one that lives.
    fn shown(&self) -> impl Iterator<Item = (&u32, &Slot)> {
        let slots = self.ledger.slots();
        let name = |slot: &Slot| {
            let Pod {
                namespace,
                name,
                uid: _,
            } = slot.identity.pod.clone();
            (namespace, name)
        };
        let living = slots.values().filter(|slot| slot.ended.is_none());
        let living: BTreeSet<_> = living.map(name).collect();
        slots
            .iter()
            .filter(move |(_, slot)| slot.ended.is_none() || !living.contains(&name(slot)))
    }

    fn note_missing(&mut self, around: &Around<'_>) {
        let pods = around.tree.pods.values();
        let children = pods.flat_map(|pod| pod.children.iter().map(|child| child.cgroup));
        let there: BTreeSet<u64> = children.collect();
        let gone = |cgroup: &u64| self.mapped.contains_key(cgroup) && !there.contains(cgroup);
        self.missing.retain(|cgroup, _| gone(cgroup));
        for cgroup in self.mapped.keys().filter(|cgroup| !there.contains(cgroup)) {
            self.missing.entry(*cgroup).or_insert(around.now);
        }
    }

    fn own(&mut self, step: Step, now: Duration) -> io::Result<()> {
        let Self { kernel, ledger, .. } = self;
        match step {
            Step::Give(slot, to) => ledger.give(kernel, slot, to),
            Step::Change(slot, to) => ledger.change(kernel, slot, to),
            Step::Free(slot) => ledger.free(kernel, slot, now),
            _ => Ok(()),
        }
    }

    fn place(&mut self, step: &Step) {
        let (map, done) = match *step {
            Step::Map { cgroup, slot } => {
                let done = self.kernel.map(cgroup, slot);
                if done.is_ok() {
                    self.mapped.insert(cgroup, slot);
                }
                ("cgroups", done)
            }
            Step::Unmap(cgroup) => {
                let done = self.kernel.unmap(cgroup);
                if done.is_ok() {
                    self.mapped.remove(&cgroup);
                }
                ("cgroups", done)
            }
            Step::Detach(name) => {
                self.links.remove(&name);
                self.placed.remove(&name);
                self.failures.forgive(name.pod);
                ("links", self.kernel.detach(name))
            }
            _ => return,
        };
        if let Err(error) = done {
            self.failures.map_failed(map, &error);
        }
    }

    fn attach(&mut self, target: &Target, now: Duration) {
        let (name, constant) = (target.name, target.constant);
        self.retry.retain(|_, at| *at > now);
        if self.retry.contains_key(&name) {
            return;
        }
        match self.kernel.attach(target) {
            Ok(()) => {
                self.links.insert(name, true);
                self.placed.insert(name, constant);
                self.failures.forgive(name.pod);
            }
            Err(error) => {
                if self.failures.attach_failed(target, &error) {
                    self.retry.insert(name, now + RETRY);
                }
            }
        }
    }
}
