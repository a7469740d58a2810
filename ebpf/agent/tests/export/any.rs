//! Any snapshot at all, with names that nobody would give.

use berth_ebpf_common::{Count, Totals, Unattributed};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use traffic_agent::model::{
    Container, ContainerCounts, Interface, Mode, Pod, Snapshot, Workload, WorkloadName,
};

use crate::given;

/// Few enough that they meet, and every character that could do harm.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec!["", "a", "b", "other", "web-0"]).prop_map(str::to_owned),
        1 => "[ -~\\n\\t\\\\\"ü漢\u{0}\u{2028}]{0,12}",
        1 => Just("</script><img src=x onerror=alert(1)>".to_owned()),
        1 => Just("x".repeat(253)),
    ]
}

fn count() -> impl Strategy<Value = Count> {
    let number = || prop_oneof![0..5_u64, Just(u64::MAX), Just(1 << 53), any::<u64>()];
    (number(), number()).prop_map(|(bytes, packets)| Count { bytes, packets })
}

/// Of those that are finite only some that any reader of JSON reads to the last digit.
fn float() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![
        0.0,
        -0.0,
        0.5,
        -1.25,
        1e9,
        f64::NAN,
        f64::INFINITY,
        -f64::INFINITY,
    ])
}

fn totals() -> impl Strategy<Value = Totals> {
    (
        prop::array::uniform4(count()),
        prop::array::uniform4(count()),
        any::<[u64; 2]>(),
    )
        .prop_map(|(receive, transmit, resets)| Totals {
            receive,
            transmit,
            resets,
            ..Totals::default()
        })
}

fn pod() -> impl Strategy<Value = Pod> {
    let of = |(namespace, name, uid)| Pod {
        namespace,
        name,
        uid,
    };
    (name(), name(), name()).prop_map(of)
}

fn created() -> impl Strategy<Value = Timestamp> {
    (0..4_i64).prop_map(|seconds| given::noon() + SignedDuration::from_secs(seconds))
}

fn interface() -> impl Strategy<Value = Interface> {
    let what = (pod(), 0..4_usize, 0..2_usize, created());
    let how = (any::<[bool; 4]>(), 0..4_usize, totals(), name());
    (what, how).prop_map(
        |((pod, container, ifname, created), (flags, mode, totals, workload))| {
            let mode = [Mode::Tcx, Mode::Clsact, Mode::Device, Mode::Off][mode];
            let given = given::interface(pod, &format!("c{container}"));
            Interface {
                ifname: ["eth0", "net\"1"][ifname].parse().unwrap(),
                workload: WorkloadName {
                    name: workload,
                    ..given.workload.clone()
                },
                mode: [mode, Mode::Tcx],
                created,
                ended: flags[0],
                overflowed: flags[1],
                estimated: flags[2],
                device: given.device.filter(|_| flags[3]),
                totals,
                ..given
            }
        },
    )
}

fn container() -> impl Strategy<Value = Container> {
    let counts = (count(), count()).prop_map(|(receive, transmit)| ContainerCounts {
        receive,
        transmit,
        ..ContainerCounts::default()
    });
    (pod(), name(), created(), counts).prop_map(|(pod, name, created, counts)| Container {
        pod,
        name,
        created,
        counts,
    })
}

fn workload() -> impl Strategy<Value = Workload> {
    (name(), name(), name(), created(), totals()).prop_map(
        |(namespace, kind, name, created, totals)| Workload {
            name: WorkloadName {
                namespace,
                kind,
                name,
            },
            created,
            totals,
        },
    )
}

prop_compose! {
    /// A snapshot of which one thing holds: a life is there once.
    pub(crate) fn snapshot()(
        interfaces in prop::collection::vec(interface(), 0..8),
        containers in prop::collection::vec(container(), 0..6),
        workloads in prop::collection::vec(workload(), 0..6),
        words in prop::collection::vec((name(), any::<u64>()), 0..4),
        drift in prop::array::uniform2(float()),
        started in float(),
    ) -> Snapshot {
        let mut snapshot = given::empty();
        let mut lives = std::collections::BTreeSet::new();
        for interface in interfaces {
            let life = (interface.container.to_string(), interface.ifname.clone(), interface.created);
            if lives.insert(life) {
                snapshot.interfaces.push(Interface { drift: Some(drift), ..interface });
            }
        }
        let mut lives = std::collections::BTreeSet::new();
        for container in containers {
            if lives.insert((container.pod.clone(), container.name.clone(), container.created)) {
                snapshot.containers.push(container);
            }
        }
        snapshot.workloads = workloads;
        snapshot.unattributed = vec![(Unattributed::MapFull, ContainerCounts::default()); 2];
        let health = &mut snapshot.health;
        health.started = started;
        health.maps = words.iter().map(|(word, n)| (word.clone(), *n, *n, *n)).collect();
        health.attach_failures =
            words.iter().map(|(word, n)| (word.clone(), word.clone(), *n)).collect();
        health.map_failures.clone_from(&words);
        health.restored.clone_from(&words);
        health.audit_failures.clone_from(&words);
        health.lookup_failures.clone_from(&words);
        health.degraded = words.into_iter().map(|(word, _)| word).collect();
        snapshot
    }
}
