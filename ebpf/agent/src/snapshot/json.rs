//! A snapshot as JSON, for people and scripts.

use berth_ebpf_common::{Count, Scope, TcpValue, Totals, Unattributed};
use serde_json::{Map, Value, json};

use crate::ledger::sum;
use crate::model::{
    Container, ContainerCounts, DeviceCounts, Interface, Snapshot, Workload, scope_label,
};

/// The whole of it.
pub fn json(snapshot: &Snapshot) -> Value {
    let health = &snapshot.health;
    let (links, maps) = (health.links.iter(), health.maps.iter());
    json!({
        "taken": snapshot.taken,
        "node": snapshot.node.to_string(),
        "interfaces": snapshot.interfaces.iter().map(interface).collect::<Vec<_>>(),
        "workloads": snapshot.workloads.iter().map(workload).collect::<Vec<_>>(),
        "containers": snapshot.containers.iter().map(container).collect::<Vec<_>>(),
        "unattributed": unattributed(snapshot),
        "health": {
            "coverage": {"records": health.coverage.0, "counted": health.coverage.1},
            "links": links.map(|link| json!({
                "hook": link.hook, "state": link.state, "links": link.links,
            })).collect::<Vec<_>>(),
            "duplicatesRemoved": health.duplicates_removed,
            "maps": maps.map(|(map, used, room, _)| json!({
                "map": map, "used": used, "room": room,
            })).collect::<Vec<_>>(),
            "eventsLag": health.events_lag,
            "degraded": health.degraded,
            "kernel": health.kernel,
        },
    })
}

fn interface(interface: &Interface) -> Value {
    json!({
        "namespace": interface.pod.namespace,
        "pod": interface.pod.name,
        "uid": interface.pod.uid,
        "container": interface.container.to_string(),
        "interface": interface.ifname.to_string(),
        "network": interface.network.to_string(),
        "workload": interface.workload,
        "app": interface.app,
        "driver": interface.driver,
        "family": interface.ip_family,
        "mode": interface.mode,
        "created": interface.created,
        "estimated": interface.estimated,
        "overflowed": interface.overflowed,
        "ended": interface.ended,
        "totals": totals(&interface.totals),
        "device": interface.device.map(device),
        "drift": interface.drift,
    })
}

fn workload(workload: &Workload) -> Value {
    json!({
        "namespace": workload.name.namespace,
        "kind": workload.name.kind,
        "name": workload.name.name,
        "created": workload.created,
        "totals": totals(&workload.totals),
    })
}

fn container(container: &Container) -> Value {
    json!({
        "namespace": container.pod.namespace,
        "pod": container.pod.name,
        "uid": container.pod.uid,
        "name": container.name,
        "created": container.created,
        "counts": container_counts(&container.counts),
    })
}

fn unattributed(snapshot: &Snapshot) -> Value {
    let all = snapshot.unattributed.iter();
    all.map(|(reason, counts)| {
        let reason = match reason {
            Unattributed::PodCgroup => "pod_cgroup",
            Unattributed::UnknownCgroup => "unknown_cgroup",
            Unattributed::MapFull => "map_full",
        };
        (reason.to_owned(), container_counts(counts))
    })
    .collect::<Map<_, _>>()
    .into()
}

fn container_counts(counts: &ContainerCounts) -> Value {
    let ContainerCounts {
        receive,
        transmit,
        loopback_receive,
        loopback_transmit,
    } = counts;
    json!({
        "receive": count(*receive), "transmit": count(*transmit),
        "loopbackReceive": count(*loopback_receive), "loopbackTransmit": count(*loopback_transmit),
    })
}

fn tcp(tcp: &TcpValue) -> Value {
    json!({
        "retransmits": tcp.retransmits, "connected": tcp.connected, "failed": tcp.failed,
        "accepted": tcp.accepted, "rtt": tcp.rtt, "rttSumUs": tcp.rtt_sum_us,
    })
}

fn totals(totals: &Totals) -> Value {
    json!({
        "receive": way(&totals.receive),
        "transmit": way(&totals.transmit),
        "resets": totals.resets,
        "tcp": tcp(&totals.tcp),
    })
}

fn way(scopes: &[Count; 4]) -> Value {
    let Count { bytes, packets } = sum(scopes);
    let named = Scope::ALL.into_iter().zip(scopes);
    let scopes: Map<String, Value> = named
        .map(|(scope, scope_count)| (scope_label(scope).into(), count(*scope_count)))
        .collect();
    json!({"bytes": bytes, "packets": packets, "scopes": scopes})
}

fn count(count: Count) -> Value {
    json!({"bytes": count.bytes, "packets": count.packets})
}

fn device(counts: DeviceCounts) -> Value {
    let way = |way: crate::model::DeviceDirection| {
        json!({
            "bytes": way.count.bytes, "packets": way.count.packets,
            "dropped": way.dropped, "errors": way.errors,
        })
    };
    json!({"receive": way(counts.receive), "transmit": way(counts.transmit)})
}
