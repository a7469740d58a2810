//! The pods whose containers are told apart, and what is known of each container.

use std::collections::{BTreeMap, BTreeSet};

use berth_ebpf_common::Unattributed;

use super::{PodRecord, Seen, Split, Tcp};
use crate::containers::identity::{PodKey, Role, short_id};
use crate::containers::ledger::{Identity, Name};
use crate::containers::observe::{Child, PodCgroup};
use crate::model::Pod;

/// A cgroup below a pod's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A container, which is to have a slot.
    Container {
        /// Its cgroup.
        cgroup: u64,
        /// Whose the slot is to be.
        identity: Identity,
    },
    /// The sandbox, or the runtime's: the pod's own.
    Own {
        /// Its cgroup.
        cgroup: u64,
        /// The runtime's id.
        id: String,
    },
}

/// A pod with a cgroup.
#[derive(Clone, Debug)]
pub struct PodView<'a> {
    /// Its cgroup.
    pub cgroup: &'a PodCgroup,
    /// Whether its containers are told apart.
    pub split: bool,
    /// The slot whose TCP its connections are, when they are looked at.
    pub tcp: Option<u32>,
    /// What is below it.
    pub below: Vec<Wanted>,
}

/// All pods with a cgroup.
#[derive(Clone, Debug)]
pub struct Pods<'a> {
    views: BTreeMap<&'a PodKey, PodView<'a>>,
    /// The cgroups below those whose containers are told apart, and below the others.
    apart: BTreeSet<u64>,
    others: BTreeSet<u64>,
}

impl<'a> Pods<'a> {
    /// Looks at everything that was seen.
    pub fn new(seen: &Seen<'a>) -> Self {
        let views: BTreeMap<_, _> = seen
            .around
            .tree
            .pods
            .iter()
            .map(|(key, cgroup)| (key, view(seen, key, cgroup)))
            .collect();
        let children = |split: bool| {
            let views = views.values().filter(move |view| view.split == split);
            views
                .flat_map(|view| view.cgroup.children.iter().map(|child| child.cgroup))
                .collect()
        };
        Self {
            apart: children(true),
            others: children(false),
            views,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&PodKey, &PodView<'a>)> {
        self.views.iter().map(|(key, view)| (*key, view))
    }

    /// The pod's view, when its containers are told apart.
    pub fn split(&self, key: &PodKey) -> Option<&PodView<'a>> {
        self.views.get(key).filter(|view| view.split)
    }

    /// Whether a cgroup is below a pod whose containers are told apart.
    pub fn tells_apart(&self, cgroup: u64) -> bool {
        self.apart.contains(&cgroup)
    }

    /// Whether a cgroup is below a pod whose containers are not.
    pub fn has(&self, cgroup: u64) -> bool {
        self.others.contains(&cgroup)
    }
}

fn view<'a>(seen: &Seen<'a>, key: &PodKey, cgroup: &'a PodCgroup) -> PodView<'a> {
    let records: Vec<&PodRecord> = seen
        .around
        .records
        .iter()
        .filter(|record| is_of(record, key, cgroup))
        .collect();
    let pod = pod(seen, key, cgroup, &records);
    let below: Vec<Wanted> = cgroup
        .children
        .iter()
        .map(|child| wanted(seen, key, &pod, child, &records))
        .collect();
    PodView {
        cgroup,
        split: splits(seen, key, &below),
        tcp: match seen.around.tcp {
            Tcp::On => tcp_slot(cgroup, &records),
            Tcp::Off => None,
        },
        below,
    }
}

fn is_of(record: &PodRecord, key: &PodKey, cgroup: &PodCgroup) -> bool {
    let by_uid = matches!(key, PodKey::Uid(uid) if *uid == record.pod.uid);
    by_uid
        || cgroup
            .children
            .iter()
            .any(|child| child.id == record.sandbox)
}

/// Who a pod is: by its record, else by the runtime, else as it was known before, else by its cgroup.
fn pod(seen: &Seen<'_>, key: &PodKey, cgroup: &PodCgroup, records: &[&PodRecord]) -> Pod {
    let by_record = records.first().map(|record| record.pod.clone());
    let by_runtime = || {
        let mut ids = cgroup.children.iter().map(|child| child.id.as_str());
        ids.find_map(|id| seen.around.runtime.pod_of(id).cloned())
    };
    let before = || {
        let mut slots = seen.ledger.slots().values();
        slots
            .find(|slot| slot.identity.key == *key)
            .map(|slot| slot.identity.pod.clone())
    };
    let by_cgroup = || Pod {
        namespace: String::new(),
        name: key.to_string(),
        uid: key.to_string(),
    };
    by_record
        .or_else(by_runtime)
        .or_else(before)
        .unwrap_or_else(by_cgroup)
}

fn wanted(
    seen: &Seen<'_>,
    key: &PodKey,
    pod: &Pod,
    child: &Child,
    records: &[&PodRecord],
) -> Wanted {
    let Child { id, cgroup, role } = child;
    let known = seen.around.runtime.name_of(id);
    let sandbox = records.iter().any(|record| record.sandbox == *id)
        || seen.around.runtime.is_sandbox(id)
        || (known.is_none() && seen.mapped.get(cgroup) == Some(&own()));
    if *role == Role::Monitor || sandbox {
        let (cgroup, id) = (*cgroup, id.clone());
        return Wanted::Own { cgroup, id };
    }
    let name = match known {
        Some(name) => Name::Known(name.to_owned()),
        None => Name::Id(short_id(id).to_owned()),
    };
    let identity = Identity {
        key: key.clone(),
        pod: pod.clone(),
        name,
    };
    Wanted::Container {
        cgroup: *cgroup,
        identity: identity.kept(),
    }
}

/// The slot of what no container can be named for, because the socket is the pod's.
pub(super) const fn own() -> u32 {
    number(Unattributed::PodCgroup)
}

/// The slot of containers for which none is left.
pub(super) const fn full() -> u32 {
    number(Unattributed::MapFull)
}

#[expect(clippy::as_conversions, reason = "the discriminant is the slot")]
const fn number(reason: Unattributed) -> u32 {
    reason as u32
}

/// Whether the pod's containers are told apart. Once they were, they are: a container that has ended
/// may start again.
fn splits(seen: &Seen<'_>, key: &PodKey, below: &[Wanted]) -> bool {
    let is_own = |wanted: &Wanted| matches!(wanted, Wanted::Own { .. });
    let found = below.iter().filter(|wanted| !is_own(wanted)).count();
    // One of a Kubernetes pod's is its sandbox, whether or not anybody told which.
    let hidden = matches!(key, PodKey::Uid(_)) && !below.iter().any(is_own);
    let containers = found.saturating_sub(usize::from(hidden));
    match seen.around.split {
        Split::Off => false,
        Split::All => containers >= 1 || names_before(seen, key) >= 1,
        Split::Auto => containers >= 2 || names_before(seen, key) >= 2,
    }
}

/// How many containers of the pod have slots.
fn names_before(seen: &Seen<'_>, key: &PodKey) -> usize {
    let slots = seen.ledger.slots().values();
    let of_it = slots.filter(|slot| slot.identity.key == *key);
    let names: BTreeSet<&Name> = of_it.map(|slot| &slot.identity.name).collect();
    names.len()
}

/// The first interface's slot, of the sandbox that lives before any other's.
fn tcp_slot(cgroup: &PodCgroup, records: &[&PodRecord]) -> Option<u32> {
    let lives = |record: &&&PodRecord| cgroup.children.iter().any(|c| c.id == record.sandbox);
    let slotted = || records.iter().filter(|record| record.slot.is_some());
    let chosen = slotted().find(lives).or_else(|| slotted().next())?;
    chosen.slot
}
