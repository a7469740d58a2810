//! What is to be done so that every container counts into its slot. Reads nothing but its arguments.

mod links;
mod pods;
mod slots;

pub use pods::{PodView, Pods, Wanted};

use std::collections::BTreeMap;
use std::time::Duration;

use berth_ebpf_common::CGROUPS;
use jiff::Timestamp;

use crate::containers::apply::{LinkName, Target};
use crate::containers::cri::Runtime;
use crate::containers::ledger::{Ledger, Slot};
use crate::containers::observe::Tree;
use crate::model::Pod;

/// How long a cgroup that is gone counts on, at most as long as it is shown: its sockets may still say
/// good-bye.
pub const LINGER: Duration = Duration::from_mins(1);

/// Cgroups from which on those that are gone make room at once.
const CROWDED: usize = 9 * to_usize(CGROUPS) / 10;

/// Which pods' containers are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// Those with two or more at once.
    #[default]
    Auto,
    /// All.
    All,
    /// None.
    Off,
}

/// Whether TCP is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tcp {
    /// It is not.
    #[default]
    Off,
    /// It is.
    On,
}

/// A pod's interface, of its attachment record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRecord {
    /// The id of its sandbox.
    pub sandbox: String,
    /// The pod.
    pub pod: Pod,
    /// The slot that it is counted into; absent before it has one.
    pub slot: Option<u32>,
}

/// A pinned link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Whether its cgroup is still there.
    pub alive: bool,
    /// What its program was told, when this agent has put it there.
    pub constant: Option<u32>,
}

/// What one look goes by.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The uptime.
    pub now: Duration,
    /// The time, for people.
    pub wall: Timestamp,
    /// How long a container is shown whose pod is gone.
    pub hold: Duration,
    /// Which pods' containers are told apart.
    pub split: Split,
    /// Whether TCP is looked at.
    pub tcp: Tcp,
    /// The cgroups.
    pub tree: &'a Tree,
    /// The attachment records, the first interface of a pod first.
    pub records: &'a [PodRecord],
    /// What the runtime says.
    pub runtime: &'a Runtime,
}

/// All that is decided by.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What this look goes by.
    pub around: &'a Around<'a>,
    /// Whose the slots are.
    pub ledger: &'a Ledger,
    /// Which cgroups count into which.
    pub mapped: &'a BTreeMap<u64, u32>,
    /// Since when, in uptime, those of them are gone that are.
    pub missing: &'a BTreeMap<u64, Duration>,
    /// The pinned links.
    pub links: &'a BTreeMap<LinkName, LinkState>,
}

/// One thing to do. Each can be repeated, and what is left to do is found anew from what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take a link away.
    Detach(LinkName),
    /// Have a cgroup count into no slot.
    Unmap(u64),
    /// Make a slot nobody's.
    Free(u32),
    /// Write down whose a slot is.
    Change(u32, Slot),
    /// Give a slot, with its counters at zero.
    Give(u32, Slot),
    /// Have a cgroup count into a slot.
    Map {
        /// The container's cgroup.
        cgroup: u64,
        /// The slot.
        slot: u32,
    },
    /// Attach, or replace.
    Attach(Target),
}

/// Decides. Slots are freed only when nothing counts into them any more, and given before anything
/// does; links come last, so that a container's first packet finds its slot.
pub fn decide(seen: &Seen<'_>) -> Vec<Step> {
    let pods = Pods::new(seen);
    let mut steps = links::unwanted(seen, &pods);
    steps.extend(unmapped(seen, &pods));
    steps.extend(slots::ended(seen, &pods));
    steps.extend(slots::given(seen, &pods));
    steps.extend(links::wanted(seen, &pods));
    steps
}

/// Cgroups that are gone for long, whose pod is told apart no more, or that count into a slot that
/// is nobody's.
fn unmapped(seen: &Seen<'_>, pods: &Pods<'_>) -> Vec<Step> {
    let crowded = seen.mapped.len() > CROWDED;
    let linger = LINGER.min(seen.around.hold);
    let over = |(cgroup, slot): &(&u64, &u32)| {
        if pods.tells_apart(**cgroup) {
            return false;
        }
        let since = seen.missing.get(cgroup);
        let gone =
            since.is_some_and(|since| crowded || seen.around.now.saturating_sub(*since) >= linger);
        let stray =
            **slot >= crate::containers::ledger::first() && !seen.ledger.slots().contains_key(slot);
        gone || stray || pods.has(**cgroup)
    };
    let all = seen.mapped.iter().filter(over);
    all.map(|(cgroup, _)| Step::Unmap(*cgroup)).collect()
}

#[expect(
    clippy::as_conversions,
    reason = "a usize has 32 bits or more wherever this runs"
)]
const fn to_usize(number: u32) -> usize {
    number as usize
}
