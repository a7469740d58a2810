//! The snapshot as the JSON that programs read: all of it, whatever the level.

use std::collections::BTreeSet;

use berth_ebpf_common::{Count, Family, Protocol, Totals};
use berth_types::SchemaVersion;
use berth_types::traffic::{
    ContainerTraffic, CountTraffic, DetailTraffic, DeviceTraffic, DirectionTraffic,
    InterfaceTraffic, NodeTraffic, Scoped, TcpTraffic, Traffic, TwoWays, UnattributedTraffic,
    WorkloadTraffic,
};

use super::{driver_label, family_label, mode_label, protocol_label, reason_label};
use crate::model::{
    Container, ContainerCounts, DeviceDirection, Interface, Mode, Pod, Snapshot, Workload,
};

/// Everything.
pub fn traffic(snapshot: &Snapshot) -> Traffic {
    traffic_of(snapshot, |_| true)
}

/// The node, and of the pods those that `wanted` answers true for; workloads are no pod's.
pub fn traffic_of(snapshot: &Snapshot, wanted: impl Fn(&Pod) -> bool) -> Traffic {
    let interfaces = snapshot.interfaces.iter().filter(|of| wanted(&of.pod));
    let containers = snapshot.containers.iter().filter(|of| wanted(&of.pod));
    let mut traffic = Traffic {
        v: SchemaVersion,
        taken: snapshot.taken,
        node: node(snapshot),
        interfaces: interfaces.map(interface).collect(),
        containers: containers.map(container).collect(),
        workloads: snapshot.workloads.iter().map(workload).collect(),
        unattributed: unattributed(snapshot),
    };
    let key = |of: &InterfaceTraffic| {
        let name = [&of.namespace, &of.pod, &of.interface].map(Clone::clone);
        (name, of.created)
    };
    traffic.interfaces.sort_by_cached_key(key);
    let key = |of: &ContainerTraffic| [&of.namespace, &of.pod, &of.container].map(Clone::clone);
    traffic.containers.sort_by_cached_key(key);
    traffic
}

/// The node, and how its agent does.
pub(crate) fn node(snapshot: &Snapshot) -> NodeTraffic {
    let live = || snapshot.interfaces.iter().filter(|of| !of.ended);
    let modes: BTreeSet<Mode> = live().flat_map(|of| of.mode).collect();
    let drifts = live().filter_map(|of| of.drift).flatten();
    let health = &snapshot.health;
    NodeTraffic {
        name: snapshot.node.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: health.kernel.clone(),
        started: if health.started.is_finite() {
            health.started
        } else {
            0.0
        },
        modes: modes
            .into_iter()
            .map(|mode| mode_label(mode).to_owned())
            .collect(),
        recorded: health.coverage.0,
        counted: health.coverage.1,
        events_lag: health.events_lag,
        duplicates_removed: health.duplicates_removed.iter().sum(),
        drift: drifts.filter(|drift| drift.is_finite()).reduce(f64::max),
        degraded: health.degraded.clone(),
    }
}

fn interface(of: &Interface) -> InterfaceTraffic {
    let [receive, transmit] = of.mode.map(|mode| mode_label(mode).to_owned());
    let drift = of
        .drift
        .filter(|drift| drift.iter().all(|number| number.is_finite()));
    let mut traffic = ways(&of.totals);
    traffic.receive.device = of.device.map(|device| device_direction(&device.receive));
    traffic.transmit.device = of.device.map(|device| device_direction(&device.transmit));
    InterfaceTraffic {
        namespace: of.pod.namespace.clone(),
        pod: of.pod.name.clone(),
        uid: of.pod.uid.clone(),
        container: of.container.to_string(),
        interface: of.ifname.to_string(),
        network: of.network.to_string(),
        driver: driver_label(of.driver).to_owned(),
        ip_family: of.ip_family.to_owned(),
        workload: of.workload.name.clone(),
        workload_kind: of.workload.kind.clone(),
        mode: TwoWays { receive, transmit },
        created: of.created,
        estimated: of.estimated,
        overflowed: of.overflowed,
        ended: of.ended,
        traffic,
        drift: drift.map(|[receive, transmit]| TwoWays { receive, transmit }),
        tcp: tcp(&of.totals),
    }
}

fn container(of: &Container) -> ContainerTraffic {
    ContainerTraffic {
        namespace: of.pod.namespace.clone(),
        pod: of.pod.name.clone(),
        uid: of.pod.uid.clone(),
        container: of.name.clone(),
        created: of.created,
        traffic: TwoWays {
            receive: count(of.counts.receive),
            transmit: count(of.counts.transmit),
        },
        loopback: TwoWays {
            receive: count(of.counts.loopback_receive),
            transmit: count(of.counts.loopback_transmit),
        },
    }
}

fn workload(of: &Workload) -> WorkloadTraffic {
    WorkloadTraffic {
        namespace: of.name.namespace.clone(),
        kind: of.name.kind.clone(),
        name: of.name.name.clone(),
        created: of.created,
        traffic: ways(&of.totals),
    }
}

fn unattributed(snapshot: &Snapshot) -> Vec<UnattributedTraffic> {
    let row = |(reason, counts): &(_, ContainerCounts)| UnattributedTraffic {
        reason: reason_label(*reason).to_owned(),
        traffic: TwoWays {
            receive: count(counts.receive),
            transmit: count(counts.transmit),
        },
    };
    snapshot.unattributed.iter().map(row).collect()
}

fn ways(totals: &Totals) -> TwoWays<DirectionTraffic> {
    TwoWays {
        receive: direction(&totals.receive, &totals.receive_detail),
        transmit: direction(&totals.transmit, &totals.transmit_detail),
    }
}

fn direction(scopes: &[Count; 4], detail: &[[Count; 3]; 5]) -> DirectionTraffic {
    let [same_node, cluster, external, other] = scopes.map(count);
    DirectionTraffic {
        total: total(scopes),
        scopes: Scoped {
            same_node,
            cluster,
            external,
            other,
        },
        detail: details(detail),
        device: None,
    }
}

fn details(of: &[[Count; 3]; 5]) -> Vec<DetailTraffic> {
    let mut details = Vec::new();
    for (protocol, families) in Protocol::ALL.into_iter().zip(of) {
        for (family, counted) in Family::ALL.into_iter().zip(families) {
            if *counted != Count::default() {
                details.push(DetailTraffic {
                    protocol: protocol_label(protocol).to_owned(),
                    family: family_label(family).to_owned(),
                    count: count(*counted),
                });
            }
        }
    }
    details
}

/// The sum over all scopes.
pub(crate) fn total(scopes: &[Count; 4]) -> CountTraffic {
    let sum = |of: fn(&Count) -> u64| scopes.iter().map(of).fold(0, u64::saturating_add);
    CountTraffic {
        bytes: sum(|count| count.bytes),
        packets: sum(|count| count.packets),
    }
}

fn device_direction(of: &DeviceDirection) -> DeviceTraffic {
    DeviceTraffic {
        count: count(of.count),
        dropped: of.dropped,
        errors: of.errors,
    }
}

fn tcp(totals: &Totals) -> TcpTraffic {
    TcpTraffic {
        retransmits: totals.tcp.retransmits,
        resets: totals.resets,
        opened: totals.tcp.connected,
        failed: totals.tcp.failed,
        accepted: totals.tcp.accepted,
    }
}

const fn count(of: Count) -> CountTraffic {
    CountTraffic {
        bytes: of.bytes,
        packets: of.packets,
    }
}
