//! Rows with their labels, as they are written.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{About, InterfaceRow, OTHER, PodRow, Row};
use crate::export::counts::{self, OF_INTERFACE};
use crate::export::options::Tcp;
use crate::export::shelf::{Candidate, Other};
use crate::export::text::{Created, Labels};
use crate::export::words::driver_label;
use crate::model::{Interface, Mode};

pub(super) fn shown_rows<const N: usize>(
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

pub(super) fn bucket<const N: usize>(
    names: [&str; 3],
    values: [&str; 3],
    other: &Other<N>,
) -> Row<N> {
    let pairs: Vec<(&str, &str)> = names.into_iter().zip(values).collect();
    Row {
        labels: Labels::of(&pairs),
        created: Created::at(other.created),
        numbers: other.numbers,
    }
}

pub(super) fn interface_row(of: &Interface) -> InterfaceRow {
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
pub(super) fn pods(
    shown: &[&Interface],
    other: Option<&Other<OF_INTERFACE>>,
    tcp: Tcp,
) -> Vec<PodRow> {
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
