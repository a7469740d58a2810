//! Snapshots of nodes that there could be.

use std::sync::{Arc, Mutex};

use berth_ebpf_common::{Count, Totals, Unattributed};
use jiff::{SignedDuration, Timestamp};
use traffic_agent::export::Source;
use traffic_agent::model::{
    Container, ContainerCounts, DeviceCounts, DeviceDirection, Driver, Health, Interface,
    LinkCount, Mode, Pod, ProgramRuns, Snapshot, Workload, WorkloadName,
};

/// A moment that never changes.
pub(crate) fn noon() -> Timestamp {
    "2026-03-01T12:00:00.25Z".parse().unwrap()
}

pub(crate) fn pod(namespace: &str, name: &str) -> Pod {
    Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
    }
}

/// Totals of which no two numbers are equal.
pub(crate) fn totals(from: u64) -> Totals {
    let mut next = from;
    let mut count = || {
        next += 2;
        let (bytes, packets) = (next - 1, next);
        Count { bytes, packets }
    };
    let mut totals = Totals::default();
    for each in totals.receive.iter_mut().chain(&mut totals.transmit) {
        *each = count();
    }
    let [receive, transmit] = [&mut totals.receive_detail, &mut totals.transmit_detail];
    for each in receive.iter_mut().chain(transmit).flatten() {
        *each = count();
    }
    totals.resets = [next + 1, next + 2];
    totals.tcp.retransmits = next + 3;
    totals.tcp.connected = next + 4;
    totals.tcp.failed = next + 5;
    totals.tcp.accepted = next + 6;
    totals.tcp.rtt = [1, 2, 3, 4, 5, 6, 7, 8];
    totals.tcp.rtt_sum_us = 1_234_567;
    totals
}

/// The interface `eth0` of a pod of the workload `web`.
pub(crate) fn interface(pod: Pod, container: &str) -> Interface {
    let workload = WorkloadName {
        namespace: pod.namespace.clone(),
        kind: "annotation".to_owned(),
        name: "web".to_owned(),
    };
    let direction = |from| DeviceDirection {
        count: Count {
            bytes: from,
            packets: from + 1,
        },
        dropped: from + 2,
        errors: from + 3,
    };
    Interface {
        pod,
        container: container.parse().unwrap(),
        ifname: "eth0".parse().unwrap(),
        network: "lan".parse().unwrap(),
        workload,
        app: Some("web".to_owned()),
        driver: Driver::Macvlan,
        ip_family: "ipv4",
        mode: [Mode::Tcx; 2],
        created: noon(),
        estimated: false,
        overflowed: false,
        ended: false,
        totals: totals(1000),
        device: Some(DeviceCounts {
            receive: direction(70),
            transmit: direction(80),
        }),
        drift: Some([0.001, 0.002]),
    }
}

pub(crate) fn container(pod: Pod, name: &str) -> Container {
    let count = |from| Count {
        bytes: from,
        packets: from + 1,
    };
    Container {
        pod,
        name: name.to_owned(),
        created: noon(),
        counts: ContainerCounts {
            receive: count(10),
            transmit: count(20),
            loopback_receive: count(30),
            loopback_transmit: count(40),
        },
    }
}

/// A node with nothing on it.
pub(crate) fn empty() -> Snapshot {
    Snapshot {
        taken: noon(),
        node: "node-1".parse().unwrap(),
        interfaces: vec![],
        containers: vec![],
        workloads: vec![],
        unattributed: vec![],
        health: Health {
            started: 1_772_000_000.5,
            kernel: "6.18.0".to_owned(),
            ..Health::default()
        },
    }
}

/// A node with `pods` pods in two namespaces, each with two containers that are counted.
pub(crate) fn node(pods: usize) -> Snapshot {
    let mut snapshot = empty();
    for number in 0..pods {
        let namespace = ["shop", "bank"][number % 2];
        let pod = pod(namespace, &format!("web-7d9c8b6f5-{number:05}"));
        let mut eth0 = interface(pod.clone(), &format!("{number:064x}"));
        eth0.totals = totals(1_000_000 + 1000 * u64::try_from(number).unwrap());
        snapshot.interfaces.push(eth0);
        for name in ["app", "proxy"] {
            snapshot.containers.push(container(pod.clone(), name));
        }
    }
    for namespace in ["shop", "bank"] {
        for number in 0..pods.div_ceil(10) {
            snapshot.workloads.push(Workload {
                name: WorkloadName {
                    namespace: namespace.to_owned(),
                    kind: "name".to_owned(),
                    name: format!("web-{number}"),
                },
                created: noon(),
                totals: totals(5000),
            });
        }
    }
    snapshot.unattributed = vec![(
        Unattributed::PodCgroup,
        ContainerCounts {
            receive: Count {
                bytes: 5,
                packets: 1,
            },
            ..ContainerCounts::default()
        },
    )];
    snapshot.health.coverage = (pods + 1, pods);
    snapshot.health.links = vec![LinkCount {
        hook: "receive",
        state: "attached",
        links: 3,
    }];
    snapshot.health.maps = vec![("slots".to_owned(), 3, 4096, 8_388_608)];
    snapshot.health.attach_failures = vec![("receive".to_owned(), "no permission".to_owned(), 1)];
    snapshot.health.degraded = vec!["eth0 of shop/web is counted by its device".to_owned()];
    snapshot.health.programs = vec![ProgramRuns {
        program: "receive".to_owned(),
        runs: 20_000_000,
        nanoseconds: 1_000_000_600,
    }];
    snapshot.health.cri_up = Some(true);
    snapshot.health.events_lag = Some(1.5);
    snapshot
}

/// A source that says what it was told last.
#[derive(Debug)]
pub(crate) struct Told(Mutex<Arc<Snapshot>>);

impl Told {
    pub(crate) fn new(snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Arc::new(snapshot))))
    }

    pub(crate) fn tell(&self, snapshot: Snapshot) {
        *self.0.lock().unwrap() = Arc::new(snapshot);
    }
}

impl Source for Told {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.lock().unwrap())
    }
}

/// A node on which every interface carries so much more each time it is looked at.
#[derive(Debug)]
pub(crate) struct Busy(Mutex<Snapshot>);

impl Busy {
    pub(crate) fn new(snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Self(Mutex::new(snapshot)))
    }
}

impl Source for Busy {
    fn snapshot(&self) -> Arc<Snapshot> {
        let mut snapshot = self.0.lock().unwrap();
        snapshot.taken += SignedDuration::from_millis(1000);
        for (number, interface) in (1..).zip(&mut snapshot.interfaces) {
            let [receive, transmit] = [1_000_000 / number, 200_000 / number];
            interface.totals.receive[0].bytes += receive;
            interface.totals.receive[0].packets += receive.div_ceil(1500);
            interface.totals.transmit[2].bytes += transmit;
            interface.totals.transmit[2].packets += transmit.div_ceil(1500);
        }
        Arc::new(snapshot.clone())
    }
}
