//! Who would like to be shown, with what that costs.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::export::counts::{self, OF_CONTAINER, OF_INTERFACE, OF_WORKLOAD};
use crate::export::options::{ExportOptions, Level, Tcp};
use crate::export::shelf::{Candidate, Life};
use crate::model::{Container, Interface, Workload, WorkloadName};

/// How many series a row has.
pub(super) struct Costs {
    interface: usize,
    pub(super) container: usize,
    pub(super) workload: usize,
}

impl Costs {
    /// At most: at the lowest level the other scopes are there only where something was counted.
    pub(super) const fn of(options: &ExportOptions) -> Self {
        let scopes = match options.level {
            Level::Min => 1,
            Level::Default | Level::Detail => 4,
        };
        let tcp = match options.tcp {
            Tcp::Off => 0,
            Tcp::On => 6,
        };
        Self {
            interface: 4 * scopes + 5 + tcp,
            container: match options.level {
                Level::Min | Level::Default => 4,
                Level::Detail => 6,
            },
            workload: 2 * scopes,
        }
    }
}

pub(super) fn interface_candidate(of: &Interface, costs: &Costs) -> Candidate<OF_INTERFACE> {
    Candidate {
        labels: vec![
            of.pod.namespace.clone(),
            of.pod.name.clone(),
            of.ifname.to_string(),
        ],
        life: Life {
            created: of.created,
            id: format!("{}/{}", of.container, of.ifname),
        },
        ended: of.ended,
        cost: costs.interface,
        numbers: counts::of_interface(of),
    }
}

pub(super) fn container_candidate(of: &Container, cost: usize) -> Candidate<OF_CONTAINER> {
    let name = [&of.pod.namespace, &of.pod.name, &of.name];
    Candidate {
        labels: name.map(Clone::clone).to_vec(),
        life: Life {
            created: of.created,
            id: format!(
                "{}\n{}\n{}\n{}",
                of.pod.namespace, of.pod.name, of.pod.uid, of.name
            ),
        },
        ended: false,
        cost,
        numbers: counts::of_container(of),
    }
}

/// One for each name: several of one name are one workload.
pub(super) fn workload_candidates(of: &[Workload], cost: usize) -> Vec<Candidate<OF_WORKLOAD>> {
    let mut named: BTreeMap<_, (Timestamp, [u64; OF_WORKLOAD])> = BTreeMap::new();
    for Workload {
        name,
        created,
        totals,
    } in of
    {
        let (since, sum) = named.entry(name).or_insert((*created, [0; OF_WORKLOAD]));
        *since = (*since).min(*created);
        counts::add(sum, &counts::of_workload(totals));
    }
    let candidate = |(name, (created, numbers)): (&WorkloadName, _)| Candidate {
        labels: vec![name.namespace.clone(), name.kind.clone(), name.name.clone()],
        life: Life {
            created,
            id: format!("{}\n{}\n{}", name.namespace, name.kind, name.name),
        },
        ended: false,
        cost,
        numbers,
    };
    named.into_iter().map(candidate).collect()
}
