//! What is seen from one look to the next, and what is to be said of it.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Settings;
use super::cri::{Client, Patience, Told};
use super::decide::{PodRecord, Split, Tcp};
use super::observe::{Hierarchy, MountError, Tree, Watch, walk};

/// How often it is looked whether the agent is to end, or the runtime has said something new.
const TICK: Duration = Duration::from_millis(250);
/// How long a pod may be without a cgroup while it starts.
const STARTING: Duration = Duration::from_secs(15);

/// What the loop goes by from one look to the next.
#[derive(Debug)]
pub(super) struct Looker<'a> {
    pub(super) settings: &'a Settings,
    hierarchy: Option<Hierarchy>,
    watch: Option<Watch>,
    client: Option<Client>,
    /// How often the runtime had been asked at the last look.
    asked: u64,
    /// Since when, in uptime, there are pods without a cgroup.
    homeless: Option<Duration>,
    /// What is as long as the agent runs.
    lasting: BTreeSet<String>,
}

/// One look.
#[derive(Debug)]
pub(super) struct Looked {
    /// The cgroups; absent when they cannot be looked at.
    pub(super) tree: Option<Tree>,
    /// What the runtime says.
    pub(super) told: Told,
    /// What is not as it should be.
    pub(super) sentences: BTreeSet<String>,
}

impl<'a> Looker<'a> {
    /// Finds the hierarchy and begins to ask the runtime, as far as containers are told apart at all.
    pub(super) fn new(settings: &'a Settings) -> Self {
        let mut looker = Self {
            settings,
            hierarchy: None,
            watch: None,
            client: None,
            asked: 0,
            homeless: None,
            lasting: BTreeSet::new(),
        };
        if settings.split != Split::Off || settings.tcp != Tcp::Off {
            looker.begin();
        }
        looker
    }

    fn begin(&mut self) {
        match Watch::new() {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => drop(self.lasting.insert(unwatched(&error))),
        }
        let kernel = &self.settings.kernel;
        match Hierarchy::find() {
            Ok(found) if found.misplaces_sockets(kernel) => {
                self.lasting.insert(format!(
                    "containers are not told apart: with net_cls or net_prio mounted, Linux {kernel} \
                     takes sockets for the root cgroup's; unmount them, or use Linux 5.15"
                ));
            }
            Ok(found) => self.hierarchy = Some(found),
            Err(error) => drop(self.lasting.insert(not_apart(&error))),
        }
        if let Some(socket) = &self.settings.cri {
            match Client::start(socket, Patience::default()) {
                Ok(client) => self.client = Some(client),
                Err(error) => drop(self.lasting.insert(format!(
                    "the runtime is not asked, and containers go by their ids: {error}; raise \
                     TasksMax and LimitNOFILE of the agent's unit, and restart it"
                ))),
            }
        }
    }

    /// Which pods' containers can be told apart.
    pub(super) fn split(&self) -> Split {
        let known = self.hierarchy.as_ref();
        known.map_or(Split::Off, |_| self.settings.split)
    }

    /// Whether there is a runtime to ask.
    pub(super) fn asks(&self) -> bool {
        self.client.is_some()
    }

    /// Would like to know names.
    pub(super) fn ask(&self) {
        if let Some(client) = &self.client {
            client.ask();
        }
    }

    /// Looks at everything. `now` is the uptime.
    pub(super) fn look(&mut self, records: &[PodRecord], now: Duration) -> Looked {
        let told = self.client.as_ref().map(Client::told).unwrap_or_default();
        self.asked = told.asked;
        let mut sentences = self.lasting.clone();
        let tree = self.tree(&mut sentences);
        if let Some(tree) = &tree {
            self.judge(tree, records, now, &mut sentences);
        }
        let problem = told.problem.iter();
        sentences.extend(
            problem
                .map(|problem| format!("{problem}; containers go by their ids until it answers")),
        );
        Looked {
            tree,
            told,
            sentences,
        }
    }

    /// The cgroups; `None` when they cannot be looked at.
    fn tree(&mut self, sentences: &mut BTreeSet<String>) -> Option<Tree> {
        let Some(hierarchy) = &self.hierarchy else {
            return Some(Tree::default());
        };
        let from = hierarchy.root.join(&self.settings.below);
        let watch = &mut self.watch;
        let found = walk(&hierarchy.root, &from, |folder| {
            if let Some(watch) = watch {
                watch.add(folder);
            }
        });
        if watch.as_ref().is_some_and(|watch| watch.failed() > 0) {
            sentences.insert(unwatched(&"not every cgroup can be watched"));
        }
        match found {
            Ok(tree) => Some(tree),
            Err(error) => {
                sentences.insert(format!(
                    "containers are not told apart: cannot read the cgroups at {}: {error}",
                    from.display()
                ));
                None
            }
        }
    }

    /// What is said of pods whose sockets cannot be told from others.
    fn judge(
        &mut self,
        tree: &Tree,
        records: &[PodRecord],
        now: Duration,
        sentences: &mut BTreeSet<String>,
    ) {
        if self.hierarchy.is_none() || self.settings.split == Split::Off {
            return;
        }
        if !tree.scattered.is_empty() {
            sentences.insert(format!(
                "the containers of {} pods are not told apart: their runtime makes no cgroup for the \
                 pod, but one beside the other; set its cgroup driver as kubelet's",
                tree.scattered.len()
            ));
        }
        if tree.cut {
            sentences.insert("there are more cgroups than are looked at".into());
        }
        let without = homeless(tree, records);
        if without.is_empty() {
            self.homeless = None;
            return;
        }
        let since = *self.homeless.get_or_insert(now);
        if now.saturating_sub(since) >= STARTING {
            let hybrid = self.hierarchy.as_ref().is_some_and(|found| found.hybrid);
            let why = if hybrid {
                "their processes are in the older hierarchies alone; have the runtime use cgroup2"
            } else {
                "they have no cgroup that is known as a pod's"
            };
            sentences.insert(format!(
                "the containers of {} pods are not told apart: {why}",
                without.len()
            ));
        }
    }

    /// Waits a moment; whether cgroups have come or gone, or the runtime has answered.
    pub(super) fn heard(&mut self) -> bool {
        let Some(watch) = &mut self.watch else {
            thread::park_timeout(TICK);
            return false;
        };
        let timeout = PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO);
        let mut fds = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
        let changed = poll(&mut fds, timeout).unwrap_or(0) > 0 && watch.heard();
        let asked = self.client.as_ref().map(|client| client.told().asked);
        changed || asked.is_some_and(|asked| asked != self.asked)
    }
}

/// Pods of Kubernetes that have an interface, and no cgroup with a process in it.
fn homeless<'a>(tree: &Tree, records: &'a [PodRecord]) -> BTreeSet<&'a str> {
    let mut known = BTreeSet::new();
    for (key, pod) in tree.pods.iter().filter(|(_, pod)| pod.populated) {
        known.insert(key.as_str());
        known.extend(pod.children.iter().map(|child| child.id.as_str()));
    }
    let at_home = |record: &PodRecord| {
        known.contains(record.pod.uid.as_str()) || known.contains(record.sandbox.as_str())
    };
    let named = records.iter().filter(|record| !record.pod.uid.is_empty());
    named
        .filter(|record| !at_home(record))
        .map(|record| record.pod.uid.as_str())
        .collect()
}

fn unwatched(why: &dyn std::fmt::Display) -> String {
    format!(
        "containers are told apart up to 5 seconds late: {why}; raise fs.inotify.max_user_instances \
         and fs.inotify.max_user_watches"
    )
}

fn not_apart(error: &MountError) -> String {
    format!("containers are not told apart: {error}; {}", error.hint())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::identity::PodKey;
    use crate::containers::observe::PodCgroup;
    use crate::model::Pod;

    const UID: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

    fn record(uid: &str) -> PodRecord {
        let pod = Pod {
            uid: uid.into(),
            ..Pod::default()
        };
        let (sandbox, slot) = ("5a".repeat(32), None);
        PodRecord { sandbox, pod, slot }
    }

    /// A runtime whose containers are all in the root of cgroup2, as on a hybrid node: there is no
    /// cgroup of the pod, or none with a process in it.
    #[test]
    fn a_pod_is_at_home_where_its_processes_are() {
        let mut tree = Tree::default();
        let records = [record(UID), record("")];
        assert_eq!(homeless(&tree, &records), BTreeSet::from([UID]));
        let mut pod = PodCgroup {
            path: "/x".into(),
            cgroup: 9,
            level: 2,
            populated: false,
            children: Vec::new(),
        };
        let key = PodKey::Uid(UID.into());
        tree.pods.insert(key.clone(), pod.clone());
        assert_eq!(homeless(&tree, &records).len(), 1);
        pod.populated = true;
        tree.pods.insert(key, pod);
        assert!(homeless(&tree, &records).is_empty());
    }
}
