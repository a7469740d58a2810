//! What a snapshot shows: rows with their labels written, whatever the form they are printed in.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::counts::{self, OF_CONTAINER, OF_INTERFACE, OF_WORKLOAD};
use super::options::{ExportOptions, Level, Tcp};
use super::shelf::{Candidate, Dropped, Life, Other, Shelf};
use super::text::{Created, Labels};
use crate::model::{
    Container, DeviceCounts, Driver, Interface, Mode, Snapshot, Workload, WorkloadName,
};

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

/// How many series a row has.
struct Costs {
    interface: usize,
    container: usize,
    workload: usize,
}

impl Costs {
    /// At most: at the lowest level the other scopes are there only where something was counted.
    const fn of(options: &ExportOptions) -> Self {
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

fn interface_candidate(of: &Interface, costs: &Costs) -> Candidate<OF_INTERFACE> {
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

fn container_candidate(of: &Container, cost: usize) -> Candidate<OF_CONTAINER> {
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
fn workload_candidates(of: &[Workload], cost: usize) -> Vec<Candidate<OF_WORKLOAD>> {
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

fn shown_rows<const N: usize>(
    names: [&str; 3],
    candidates: &[Candidate<N>],
    order: &[usize],
) -> Vec<Row<N>> {
    let shown = order.iter().filter_map(|at| candidates.get(*at));
    let row = |of: &Candidate<N>| {
        let values = of.labels.iter().map(String::as_str);
        let pairs: Vec<(&str, &str)> = names.into_iter().zip(values).collect();
        Row {
            labels: Labels::of(&pairs),
            created: Created::at(of.life.created),
            numbers: of.numbers,
        }
    };
    shown.map(row).collect()
}

fn bucket<const N: usize>(names: [&str; 3], values: [&str; 3], other: &Other<N>) -> Row<N> {
    let pairs: Vec<(&str, &str)> = names.into_iter().zip(values).collect();
    Row {
        labels: Labels::of(&pairs),
        created: Created::at(other.created),
        numbers: other.numbers,
    }
}

fn interface_row(of: &Interface) -> InterfaceRow {
    let labels = Labels::of(&[
        ("namespace", &of.pod.namespace),
        ("pod", &of.pod.name),
        ("interface", of.ifname.as_str()),
    ]);
    let about = [
        ("uid", of.pod.uid.as_str()),
        ("network", of.network.as_str()),
        ("mode", driver_label(of.driver)),
        ("ip_family", of.ip_family),
        ("app", of.app.as_deref().unwrap_or_default()),
        ("workload", &of.workload.name),
        ("workload_kind", &of.workload.kind),
    ];
    let mut info = labels.clone();
    for (name, value) in about {
        info = info.with(name, value);
    }
    InterfaceRow {
        row: Row {
            labels,
            created: Created::at(of.created),
            numbers: counts::of_interface(of),
        },
        has_device: of.device.is_some(),
        about: Some(About {
            info,
            attached: of.mode.map(|mode| mode != Mode::Off),
            cadvisor: cadvisor_labels(of),
            device: of.device,
        }),
    }
}

/// As the kubelet names the sandbox of a pod with containerd.
fn cadvisor_labels(of: &Interface) -> Labels {
    let id = of.container.to_string();
    Labels::of(&[
        ("container", ""),
        ("id", &id),
        ("image", ""),
        ("interface", of.ifname.as_str()),
        ("name", &id),
        ("namespace", &of.pod.namespace),
        ("pod", &of.pod.name),
    ])
}

/// The sums of what has series of its own, pod by pod, and the bucket.
fn pods(shown: &[&Interface], other: Option<&Other<OF_INTERFACE>>, tcp: Tcp) -> Vec<PodRow> {
    if tcp == Tcp::Off {
        return Vec::new();
    }
    let mut sums: BTreeMap<(&str, &str), (Timestamp, [u64; OF_INTERFACE])> = BTreeMap::new();
    for of in shown {
        let name = (of.pod.namespace.as_str(), of.pod.name.as_str());
        let (created, sum) = sums.entry(name).or_insert((of.created, [0; OF_INTERFACE]));
        *created = (*created).max(of.created);
        counts::add(sum, &counts::of_interface(of));
    }
    if let Some(Other { created, numbers }) = other {
        let (since, sum) = sums
            .entry(("", OTHER))
            .or_insert((*created, [0; OF_INTERFACE]));
        *since = (*since).min(*created);
        counts::add(sum, numbers);
    }
    let row = |((namespace, pod), (created, numbers)): ((&str, &str), (Timestamp, _))| PodRow {
        labels: Labels::of(&[("namespace", namespace), ("pod", pod)]),
        created: Created::at(created),
        numbers,
    };
    sums.into_iter().map(row).collect()
}

/// What an interface is, in labels.
pub(crate) const fn driver_label(driver: Driver) -> &'static str {
    match driver {
        Driver::Macvlan => "macvlan",
        Driver::Ovs => "ovs",
    }
}

/// How an interface is counted, in labels.
pub(crate) const fn mode_label(mode: Mode) -> &'static str {
    match mode {
        Mode::Tcx => "tcx",
        Mode::Clsact => "clsact",
        Mode::Device => "device",
        Mode::Off => "off",
    }
}
