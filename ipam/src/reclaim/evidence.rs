//! What there is to go by: pods, nodes' own words, nodes' deaths. And what that proves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use berth_store::Revision;
use berth_types::{AttachmentId, AttachmentRecord, ContainerId, NodeId, NodeName, PodRef};

use super::{Gone, Monotonic, Unclear};

/// Everything a pass goes by. What is not there is not known.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The pods, if any list could be had.
    pub pods: Option<PodList>,
    /// What nodes say of themselves. A node that says nothing is away.
    pub nodes: BTreeMap<NodeName, NodeView>,
    /// Nodes that are proven dead.
    pub dead: BTreeMap<NodeName, Death>,
}

/// A list of pods.
#[derive(Clone, Debug)]
pub struct PodList {
    pub(super) source: PodSource,
    coverage: Coverage,
    pub(super) begun: Monotonic,
    /// By uid; of two with one uid, which there should not be, the live one.
    phases: BTreeMap<String, PodPhase>,
}

impl PodList {
    /// The list of `pods` from `source`. `begun` is when its reading began, by the observer's
    /// clock.
    pub fn new(
        source: PodSource,
        coverage: Coverage,
        begun: Monotonic,
        pods: impl IntoIterator<Item = PodSeen>,
    ) -> Self {
        let mut phases = BTreeMap::new();
        for PodSeen { uid, phase } in pods {
            let known = phases.entry(uid).or_insert(phase);
            if phase == PodPhase::Live {
                *known = phase;
            }
        }
        Self {
            source,
            coverage,
            begun,
            phases,
        }
    }

    /// Whether it shows no pod at all.
    pub fn is_empty(&self) -> bool {
        self.phases.is_empty()
    }
}

/// Where a list of pods is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodSource {
    /// The Kubernetes API.
    Api,
    /// A file somebody wrote.
    File,
    /// A node's container runtime.
    Runtime,
}

/// Which pods a list would show if they existed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All of the cluster.
    All,
    /// All of these namespaces.
    Namespaces(BTreeSet<String>),
    /// All of this node.
    Node(NodeName),
    /// It may lack any: it was cut short, or is out of date.
    None,
}

/// A pod, as a list shows it. Its name is left out on purpose, and so are the addresses of its
/// status: neither proves anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSeen {
    /// Its uid. For a mirror pod, whose own uid no container bears, what its annotation
    /// `kubernetes.io/config.hash` says.
    pub uid: String,
    /// Whether its containers may run.
    pub phase: PodPhase,
}

/// Whether a pod's containers may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Pending, running, terminating or unknown.
    Live,
    /// Succeeded or failed.
    Ended,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The machine that speaks; records of another machine of that name are not its business.
    pub node_id: NodeId,
    /// When the look began, by the observer's clock.
    pub begun: Monotonic,
    /// Every network namespace there is, by path and inode: of processes and of files that keep one
    /// alive. One that is left out may be taken for gone, so look at what the records name as well.
    pub namespaces: BTreeSet<(PathBuf, u64)>,
    /// Every sandbox and container that runs; `None` when no runtime could be asked.
    pub sandboxes: Option<BTreeSet<ContainerId>>,
    /// Attachments written at or before that revision are of an earlier boot, when known.
    pub earlier_boot: Option<Revision>,
}

/// A node that is proven dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Which machine; `None` for whichever has the name.
    pub node_id: Option<NodeId>,
    /// How that is known.
    pub proof: DeathProof,
    /// When the look for it began, by the observer's clock.
    pub begun: Monotonic,
}

/// How a node's death is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathProof {
    /// Its object is deleted from the API.
    ObjectDeleted,
    /// It has the taint `node.kubernetes.io/out-of-service`.
    OutOfService,
    /// An operator said so.
    Declared,
}

/// What is known of an attachment's sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    /// Alive, and nothing the API knows of.
    NoApiOwner,
    Gone(Gone),
    Unclear(Unclear),
}

impl Evidence {
    /// What is known of the sandbox of `id`, whose record was written at `written`.
    pub(super) fn life(
        &self,
        id: &AttachmentId,
        written: Revision,
        record: &AttachmentRecord,
    ) -> Life {
        let view = self.nodes.get(&id.node);
        match view.filter(|view| view.node_id == record.node_id) {
            Some(view) => match view.life(id, written, record) {
                Life::Alive if self.is_unlisted(id, record.pod.as_ref()) => Life::NoApiOwner,
                life => life,
            },
            None => self.life_without_node(id, view, record),
        }
    }

    /// The node does not speak for the record.
    fn life_without_node(
        &self,
        id: &AttachmentId,
        other: Option<&NodeView>,
        record: &AttachmentRecord,
    ) -> Life {
        let this_machine = |death: &&Death| match &death.node_id {
            Some(dead) => *dead == record.node_id,
            None => other.is_none(),
        };
        let pod = record.pod.as_ref();
        let Some(death) = self.dead.get(&id.node).filter(this_machine) else {
            return match self.listed(pod) {
                Some(PodPhase::Live) => Life::Alive,
                None if other.is_some() => Life::Unclear(Unclear::OtherMachine),
                None if uid(pod).is_none() => Life::NoApiOwner,
                Some(PodPhase::Ended) | None => Life::Unclear(Unclear::NodeAway),
            };
        };
        let gone = Life::Gone(Gone::NodeDead(death.proof));
        match (death.proof, self.listed(pod)) {
            (DeathProof::Declared, _) | (_, Some(PodPhase::Ended)) => gone,
            (_, Some(PodPhase::Live)) => Life::Unclear(Unclear::PodRemains),
            (_, None) if uid(pod).is_none() => Life::NoApiOwner,
            (_, None) if self.would_list(id, pod) => gone,
            (_, None) => Life::Unclear(Unclear::NoPodList),
        }
    }

    /// What the list says of the pod with that uid.
    fn listed(&self, pod: Option<&PodRef>) -> Option<PodPhase> {
        self.pods.as_ref()?.phases.get(uid(pod)?).copied()
    }

    /// Whether the list would show the pod if it existed.
    fn would_list(&self, id: &AttachmentId, pod: Option<&PodRef>) -> bool {
        match (self.pods.as_ref().map(|list| &list.coverage), pod) {
            (Some(Coverage::All), Some(_)) => true,
            (Some(Coverage::Namespaces(all)), Some(pod)) => all.contains(&pod.namespace),
            (Some(Coverage::Node(node)), Some(_)) => *node == id.node,
            (Some(Coverage::None) | None, _) | (_, None) => false,
        }
    }

    /// Whether a list that would show its pod does not: made by other means than the API.
    fn is_unlisted(&self, id: &AttachmentId, pod: Option<&PodRef>) -> bool {
        match uid(pod) {
            None => true,
            Some(_) => self.would_list(id, pod) && self.listed(pod).is_none(),
        }
    }
}

impl NodeView {
    /// What the node itself knows of one of its attachments.
    fn life(&self, id: &AttachmentId, written: Revision, record: &AttachmentRecord) -> Life {
        let sandbox = self.sandboxes.as_ref();
        let sandbox = sandbox.map(|all| all.contains(&id.container));
        let life = match (&record.netns, sandbox) {
            (_, Some(true)) => Life::Alive,
            (Some(netns), _) => self.namespace(&netns.path, netns.inode),
            (None, Some(false)) => Life::Gone(Gone::NoSandbox),
            (None, None) => Life::Unclear(Unclear::NothingToLookFor),
        };
        let earlier = self.earlier_boot.is_some_and(|last| written <= last);
        match life {
            life if !earlier => life,
            Life::Alive | Life::NoApiOwner => Life::Unclear(Unclear::Contradiction),
            Life::Gone(_) | Life::Unclear(_) => Life::Gone(Gone::EarlierBoot),
        }
    }

    fn namespace(&self, path: &Path, inode: u64) -> Life {
        let mut same = self.namespaces.iter().filter(|(_, alive)| *alive == inode);
        match (same.clone().any(|(alive, _)| alive == path), same.next()) {
            (true, _) => Life::Alive,
            // The same namespace by another path, or its number in use again.
            (false, Some(_)) => Life::Unclear(Unclear::InodeElsewhere),
            (false, None) => Life::Gone(Gone::NoNamespace),
        }
    }
}

/// The uid, unless it is empty: nothing is known by that.
fn uid(pod: Option<&PodRef>) -> Option<&str> {
    pod.map(|pod| pod.uid.as_str())
        .filter(|uid| !uid.is_empty())
}
