//! Pods and containers that come and go, and an agent that is told of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::memory::Memory;
use crate::containers::cri::{Container, Runtime, Sandbox};
use crate::containers::decide::Around;
use crate::containers::decide::{PodRecord, Split, Tcp};
use crate::containers::identity::{PodKey, Role};
use crate::containers::observe::{Child, PodCgroup, Tree};
use crate::containers::splitter::Splitter;
use crate::model::Pod;

/// A container that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) id: String,
    pub(super) cgroup: u64,
}

/// A pod that runs.
#[derive(Clone, Debug)]
pub(super) struct Pods {
    pub(super) uid: String,
    pub(super) cgroup: u64,
    pub(super) sandbox: Running,
    pub(super) containers: BTreeMap<String, Running>,
    /// Whether it has an interface of ours.
    pub(super) attached: bool,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) memory: Memory,
    pub(super) agent: Splitter<Memory>,
    pub(super) now: Duration,
    pub(super) pods: BTreeMap<String, Pods>,
    pub(super) runtime: Runtime,
    /// What the agent has been told of it: all, while the runtime answers.
    pub(super) told: Runtime,
    pub(super) up: bool,
    pub(super) split: Split,
    pub(super) tcp: Tcp,
    pub(super) hold: Duration,
    next: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let memory = Memory::default();
        let now = Duration::from_secs(1000);
        Self {
            agent: Splitter::open(memory.clone(), now).unwrap(),
            memory,
            now,
            pods: BTreeMap::new(),
            runtime: Runtime::default(),
            told: Runtime::default(),
            up: true,
            split: Split::Auto,
            tcp: Tcp::Off,
            hold: Duration::from_mins(2),
            next: 100,
        }
    }

    fn running(&mut self) -> Running {
        self.next += 1;
        Running {
            // The first digits have to differ.
            id: format!("{:012x}{:052x}", self.next, 0),
            cgroup: self.next,
        }
    }

    /// The pod `name`, with its sandbox, when it does not run yet.
    pub(super) fn pod(&mut self, name: &str) {
        if self.pods.contains_key(name) {
            return;
        }
        let (sandbox, cgroup) = (self.running(), self.running().cgroup);
        let uid = format!("00000000-0000-0000-0000-{cgroup:012}");
        let pod = Pod {
            namespace: "shop".into(),
            name: format!("{name}-{cgroup}"),
            uid: uid.clone(),
        };
        let known = Sandbox { pod, app: None };
        self.runtime.sandboxes.insert(sandbox.id.clone(), known);
        let pod = Pods {
            uid,
            cgroup,
            sandbox,
            containers: BTreeMap::new(),
            attached: true,
        };
        self.pods.insert(name.to_owned(), pod);
    }

    /// The container `name` of the pod `pod` starts, or starts again.
    pub(super) fn start(&mut self, pod: &str, name: &str) {
        self.pod(pod);
        let running = self.running();
        let found = self.pods.get_mut(pod).unwrap();
        let container = Container {
            name: name.to_owned(),
            sandbox: found.sandbox.id.clone(),
        };
        self.runtime
            .containers
            .insert(running.id.clone(), container);
        found.containers.insert(name.to_owned(), running);
    }

    pub(super) fn stop(&mut self, pod: &str, name: &str) {
        if let Some(pod) = self.pods.get_mut(pod) {
            pod.containers.remove(name);
        }
    }

    /// The pod ends with all that is in it.
    pub(super) fn end(&mut self, name: &str) {
        if let Some(pod) = self.pods.remove(name) {
            let mut inside = self.memory.0.borrow_mut();
            for (link, alive) in &mut inside.links {
                *alive &= link.pod != pod.cgroup;
            }
        }
    }

    /// A packet for a container; the slot it counted into.
    pub(super) fn packet(&self, pod: &str, name: &str) -> Option<u32> {
        let pod = self.pods.get(pod)?;
        let container = pod.containers.get(name)?;
        self.memory.packet(pod.cgroup, container.cgroup)
    }

    /// One look of the agent, `seconds` after the last.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        if self.up {
            self.told = self.runtime.clone();
        }
        let (tree, records) = (self.tree(), self.records());
        let around = Around {
            now: self.now,
            wall: Timestamp::UNIX_EPOCH,
            hold: self.hold,
            split: self.split,
            tcp: self.tcp,
            tree: &tree,
            records: &records,
            runtime: &self.told,
        };
        self.agent.pass(&around).unwrap();
    }

    /// The agent dies, if it has not yet, and another begins.
    pub(super) fn restart(&mut self) {
        self.memory.0.borrow_mut().left = None;
        if !self.up {
            self.told = Runtime::default();
        }
        self.agent = Splitter::open(self.memory.clone(), self.now).unwrap();
    }

    /// What is shown, by uid and name.
    pub(super) fn shown(&self) -> BTreeMap<(String, String), u64> {
        let containers = self.agent.containers().into_iter();
        containers
            .map(|one| ((one.pod.uid, one.name), one.counts.receive.packets))
            .collect()
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::default();
        for pod in self.pods.values() {
            let child = |running: &Running| Child {
                id: running.id.clone(),
                cgroup: running.cgroup,
                role: Role::Container,
            };
            let mut children = vec![child(&pod.sandbox)];
            children.extend(pod.containers.values().map(child));
            let cgroup = PodCgroup {
                path: PathBuf::from(format!("/cgroup/{}", pod.uid)),
                cgroup: pod.cgroup,
                level: 3,
                populated: true,
                children,
            };
            tree.pods.insert(PodKey::Uid(pod.uid.clone()), cgroup);
        }
        tree
    }

    fn records(&self) -> Vec<PodRecord> {
        let attached = self.pods.values().filter(|pod| pod.attached);
        attached
            .map(|pod| PodRecord {
                sandbox: pod.sandbox.id.clone(),
                pod: self.runtime.sandboxes[&pod.sandbox.id].pod.clone(),
                slot: Some(7),
            })
            .collect()
    }
}
