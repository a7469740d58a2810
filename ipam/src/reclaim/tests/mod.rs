//! A small cluster to judge.

mod life;
mod looks;
mod model;
mod rules;

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, Holder, Incarnation, MacAddr, NetnsRef, NodeId,
    Phase, PodRef, SchemaVersion,
};
use jiff::Timestamp;

use super::*;

/// What the store holds and what there is to go by, with one observer that looks.
struct World {
    allocations: Allocations,
    evidence: Evidence,
    kept: Observations,
    limits: Limits,
}

impl World {
    /// Nothing is held, nobody says anything.
    fn new() -> Self {
        let allocations = Allocations {
            revision: Revision(1),
            finished: Monotonic(0),
            closed: false,
            addresses: BTreeMap::new(),
            attachments: BTreeMap::new(),
            pools: BTreeMap::from([("prod".parse().unwrap(), 254)]),
            wanted: std::collections::BTreeSet::new(),
        };
        Self {
            allocations,
            evidence: Evidence::default(),
            kept: Observations::none("n1", "boot"),
            limits: Limits::default(),
        }
    }

    /// One address on `n1` that says nothing.
    fn with_one() -> Self {
        let mut world = Self::new();
        world.hold("a", &[5]);
        world
    }

    fn write(&mut self) -> Revision {
        self.allocations.revision.0 += 1;
        self.allocations.revision
    }

    /// Container `name` of `n1`, with a pod `shop/<name>` of uid `uid-<name>`, takes addresses.
    fn hold(&mut self, name: &str, addresses: &[u8]) {
        let at = self.write();
        let addresses: Vec<_> = addresses.iter().map(|last| ip(*last)).collect();
        let record = attachment(name, addresses.clone());
        let attachments = &mut self.allocations.attachments;
        attachments.insert(id(name), (at, Ok(record.clone())));
        for address in addresses {
            let unused = AddressRecord::unused("prod".parse().unwrap());
            let held = unused.held_by(Holder {
                attachment: id(name),
                incarnation: record.incarnation.clone(),
                pod: record.pod.clone(),
                mac: MacAddr::of_address(address),
                since: Timestamp::UNIX_EPOCH,
            });
            self.allocations.addresses.insert(address, (at, Ok(held)));
        }
    }

    fn address(&mut self, last: u8) -> &mut AddressRecord {
        let (_, record) = self.allocations.addresses.get_mut(&ip(last)).unwrap();
        record.as_mut().unwrap()
    }

    fn attachment(&mut self, name: &str) -> &mut AttachmentRecord {
        let (_, record) = self.allocations.attachments.get_mut(&id(name)).unwrap();
        record.as_mut().unwrap()
    }

    /// Another machine may write with every look.
    fn touch(&mut self, last: u8) {
        let at = self.write();
        self.allocations.addresses.get_mut(&ip(last)).unwrap().0 = at;
    }

    /// `n1` says that these containers run there, in namespaces of theirs.
    fn node_says(&mut self, alive: &[&str]) {
        let view = NodeView {
            node_id: machine(1),
            begun: Monotonic(0),
            namespaces: alive
                .iter()
                .map(|name| netns(name))
                .map(|n| (n.path, n.inode))
                .collect(),
            sandboxes: Some(alive.iter().map(|name| name.parse().unwrap()).collect()),
            earlier_boot: None,
        };
        self.evidence.nodes.insert("n1".parse().unwrap(), view);
    }

    fn view(&mut self) -> &mut NodeView {
        self.evidence.nodes.values_mut().next().unwrap()
    }

    fn node_is_dead(&mut self, proof: DeathProof) {
        let death = Death {
            node_id: None,
            proof,
            begun: Monotonic(0),
        };
        self.evidence.dead.insert("n1".parse().unwrap(), death);
    }

    /// The API shows the pods of these containers, and one more.
    fn api_shows(&mut self, names: &[&str]) {
        self.list(PodSource::Api, Coverage::All, names);
    }

    fn list(&mut self, source: PodSource, coverage: Coverage, names: &[&str]) {
        let live = names.iter().chain(&["other"]).map(|name| PodSeen {
            uid: uid(name),
            phase: PodPhase::Live,
        });
        self.evidence.pods = Some(PodList::new(source, coverage, Monotonic(0), live));
    }

    /// One pass in that minute.
    fn look(&mut self, minute: u64) -> Decision {
        let decision = self.try_look(minute).expect("a decision");
        self.kept = decision.observations.clone();
        decision
    }

    fn try_look(&mut self, minute: u64) -> Result<Decision, Refused> {
        let now = Monotonic(60_000 * minute);
        self.allocations.finished = now;
        let Evidence { pods, nodes, dead } = &mut self.evidence;
        if let Some(list) = pods {
            list.begun = now;
        }
        for view in nodes.values_mut() {
            view.begun = now;
        }
        for death in dead.values_mut() {
            death.begun = now;
        }
        self.decide(now)
    }

    fn decide(&self, now: Monotonic) -> Result<Decision, Refused> {
        let Self {
            allocations,
            evidence,
            kept,
            limits,
        } = self;
        decide(allocations, evidence, kept, limits, now)
    }

    /// What is found after long enough looking at the same.
    fn settled(&mut self) -> Decision {
        self.look(0);
        self.look(10)
    }

    /// What the only address is to a new observer, after long enough.
    fn class(&mut self) -> Class {
        self.kept = Observations::none("n1", "boot");
        let decision = self.settled();
        let [verdict] = decision.verdicts.try_into().expect("one verdict");
        let Verdict { class, .. } = verdict;
        let leaked = matches!(class, Class::Leaked(_));
        assert_eq!(decision.candidates.len(), usize::from(leaked), "{class:?}");
        class
    }
}

/// The last octets of what may be freed.
fn freed(decision: &Decision) -> Vec<u8> {
    let addresses = decision.candidates.iter().flat_map(Candidate::addresses);
    let mut last: Vec<_> = addresses.map(|(address, ..)| octet(*address)).collect();
    last.sort_unstable();
    last
}

fn octet(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(v6) => v6.octets()[15],
    }
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 20, 1, last])
}

fn id(name: &str) -> AttachmentId {
    format!("n1/pods/{name}/eth0").parse().unwrap()
}

fn uid(name: &str) -> String {
    format!("uid-{name}")
}

fn machine(n: u8) -> NodeId {
    format!("{n:032x}").parse().unwrap()
}

/// Its inode is the name's sum, so different for the names used here.
fn netns(name: &str) -> NetnsRef {
    NetnsRef {
        path: format!("/run/netns/{name}").into(),
        inode: name
            .bytes()
            .fold(7, |sum, byte| sum * 131 + u64::from(byte)),
    }
}

fn attachment(name: &str, addresses: Vec<IpAddr>) -> AttachmentRecord {
    AttachmentRecord {
        v: SchemaVersion,
        addresses,
        pod: Some(PodRef {
            namespace: "shop".into(),
            name: name.into(),
            uid: uid(name),
        }),
        netns: Some(netns(name)),
        node_id: machine(1),
        incarnation: Incarnation::from_random([3; 16]),
        phase: Phase::Live,
    }
}
