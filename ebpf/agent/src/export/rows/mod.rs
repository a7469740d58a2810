//! What a snapshot shows: rows with their labels written, whatever the form they are printed in.

mod candidates;
mod written;

use jiff::Timestamp;

use self::candidates::{Costs, container_candidate, interface_candidate, workload_candidates};
use self::written::{bucket, interface_row, pods, shown_rows};
use super::counts::{self, OF_CONTAINER, OF_INTERFACE, OF_WORKLOAD};
use super::options::ExportOptions;
use super::shelf::{Dropped, Life, Shelf};
use super::text::{Created, Labels};
use crate::model::{Container, DeviceCounts, Interface, Snapshot, Workload, WorkloadName};

/// The name of the bucket.
const OTHER: &str = "other";

/// Its labels.
const BUCKET: [&str; 3] = ["", OTHER, ""];

/// The labels that tell containers from each other.
const CONTAINER: [&str; 3] = ["namespace", "pod", "container"];

/// The labels that tell workloads from each other.
const WORKLOAD: [&str; 3] = ["namespace", "workload_kind", "workload"];

/// Of what is left for rows, workloads get at most one part in so many: there are ever more of them.
const WORKLOAD_PART: usize = 4;

/// What is remembered from one look to the next.
#[derive(Debug)]
pub(crate) struct Shelves {
    interfaces: Shelf<OF_INTERFACE>,
    containers: Shelf<OF_CONTAINER>,
    workloads: Shelf<OF_WORKLOAD>,
}

/// All rows of one snapshot.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Interfaces, and the bucket at the end.
    pub(crate) interfaces: Vec<InterfaceRow>,
    /// Pods, for what is not an interface's.
    pub(crate) pods: Vec<PodRow>,
    /// Containers, and the bucket at the end.
    pub(crate) containers: Vec<Row<OF_CONTAINER>>,
    /// Workloads, and the bucket at the end.
    pub(crate) workloads: Vec<Row<OF_WORKLOAD>>,
    /// What was left out so far.
    pub(crate) dropped: Dropped,
}

/// Labels and numbers.
#[derive(Debug)]
pub(crate) struct Row<const N: usize> {
    /// The labels.
    pub(crate) labels: Labels,
    /// Since when it counts.
    pub(crate) created: Created,
    /// The numbers.
    pub(crate) numbers: [u64; N],
}

/// An interface.
#[derive(Debug)]
pub(crate) struct InterfaceRow {
    /// Its numbers.
    pub(crate) row: Row<OF_INTERFACE>,
    /// Whether the device's counters are among them.
    pub(crate) has_device: bool,
    /// What else is known; absent for the bucket.
    pub(crate) about: Option<About>,
}

/// What is known of an interface beside its numbers.
#[derive(Debug)]
pub(crate) struct About {
    /// All of its labels.
    pub(crate) info: Labels,
    /// Whether it is counted, receive and transmit.
    pub(crate) attached: [bool; 2],
    /// The labels that cAdvisor gives it.
    pub(crate) cadvisor: Labels,
    /// What the device counted.
    pub(crate) device: Option<DeviceCounts>,
}

/// A pod with all its interfaces.
#[derive(Debug)]
pub(crate) struct PodRow {
    /// The pod.
    pub(crate) labels: Labels,
    /// Since when the youngest of its interfaces counts.
    pub(crate) created: Created,
    /// The sum.
    pub(crate) numbers: [u64; OF_INTERFACE],
}

impl Shelves {
    /// Nothing has been seen yet.
    pub(crate) const fn new() -> Self {
        Self {
            interfaces: Shelf::new(BUCKET),
            containers: Shelf::new(BUCKET),
            workloads: Shelf::new(BUCKET),
        }
    }

    /// Decides what of `snapshot` is shown.
    pub(crate) fn rows(&mut self, snapshot: &Snapshot, options: &ExportOptions) -> Rows {
        let costs = Costs::of(options);
        let room = options.max_series;
        let workloads = self.workloads(&snapshot.workloads, costs.workload, room / WORKLOAD_PART);
        let room = room.saturating_sub(workloads.1);
        let (interfaces, shown, used) = self.interfaces(snapshot, &costs, room);
        let room = room.saturating_sub(used);
        let containers = self.containers(&snapshot.containers, costs.container, room);
        let dropped = [
            self.interfaces.dropped(),
            self.containers.dropped(),
            self.workloads.dropped(),
        ];
        Rows {
            pods: pods(&shown, self.interfaces.other(), options.tcp),
            interfaces,
            containers,
            workloads: workloads.0,
            dropped: Dropped {
                budget: dropped.iter().map(|dropped| dropped.budget).sum(),
                duplicate: dropped.iter().map(|dropped| dropped.duplicate).sum(),
            },
        }
    }

    fn interfaces<'a>(
        &mut self,
        snapshot: &'a Snapshot,
        costs: &Costs,
        room: usize,
    ) -> (Vec<InterfaceRow>, Vec<&'a Interface>, usize) {
        self.add_overflow(&snapshot.workloads);
        let own: Vec<&Interface> = snapshot
            .interfaces
            .iter()
            .filter(|of| !of.overflowed)
            .collect();
        let candidates: Vec<_> = own
            .iter()
            .map(|of| interface_candidate(of, costs))
            .collect();
        let (order, used) = self.interfaces.sort(&candidates, room);
        let shown: Vec<&Interface> = order
            .iter()
            .filter_map(|at| own.get(*at).copied())
            .collect();
        let mut rows: Vec<InterfaceRow> = shown.iter().map(|of| interface_row(of)).collect();
        if let Some(other) = self.interfaces.other() {
            rows.push(InterfaceRow {
                row: bucket(["namespace", "pod", "interface"], BUCKET, other),
                has_device: true,
                about: None,
            });
        }
        (rows, shown, used)
    }

    /// What all interfaces without a slot of their own counted stands in a workload of its own.
    fn add_overflow(&mut self, workloads: &[Workload]) {
        // It outlives whoever counts into it, and so does what it is remembered by.
        let life = Life {
            created: Timestamp::UNIX_EPOCH,
            id: String::new(),
        };
        let name = WorkloadName::overflow();
        for of in workloads.iter().filter(|of| of.name == name) {
            let numbers = counts::of_totals(&of.totals);
            self.interfaces.add_to_other(&life, of.created, &numbers);
        }
    }

    fn containers(&mut self, of: &[Container], cost: usize, room: usize) -> Vec<Row<OF_CONTAINER>> {
        let candidates: Vec<_> = of.iter().map(|of| container_candidate(of, cost)).collect();
        let (order, _) = self.containers.sort(&candidates, room);
        let mut rows = shown_rows(CONTAINER, &candidates, &order);
        let other = self.containers.other();
        rows.extend(other.map(|other| bucket(CONTAINER, BUCKET, other)));
        rows
    }

    fn workloads(
        &mut self,
        of: &[Workload],
        cost: usize,
        room: usize,
    ) -> (Vec<Row<OF_WORKLOAD>>, usize) {
        let candidates = workload_candidates(of, cost);
        let (order, used) = self.workloads.sort(&candidates, room);
        let mut rows = shown_rows(WORKLOAD, &candidates, &order);
        let other = self.workloads.other();
        rows.extend(other.map(|other| bucket(WORKLOAD, BUCKET, other)));
        (rows, used)
    }
}
