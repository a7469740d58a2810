//! When what is done, and what is told of it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use berth_ebpf_common::{CGROUPS, CONTAINER_SLOTS, maps};

use super::apply::{Kernel, Pinned};
use super::apps::Apps;
use super::cri::{Socket, Told};
use super::decide::Around;
use super::decide::{PodRecord, Split, Step, Tcp};
use super::failures::hint;
use super::looker::{Looked, Looker};
use super::splitter::Splitter;
use crate::engine::{Moment, Stop};
use crate::kernel::maps::MapsError;
use crate::kernel::privileges::{Needs, keep_only};
use crate::model::{LinkCount, Snapshot};

/// How long nothing is looked at when nothing changes.
const SWEEP: Duration = Duration::from_secs(5);
/// How long changes are collected: a pod comes with a dozen of them.
const SETTLE: Duration = Duration::from_millis(20);

/// How containers are told apart.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which pods'.
    pub split: Split,
    /// How long a container is shown whose pod is gone.
    pub hold: Duration,
    /// Whether TCP is looked at.
    pub tcp: Tcp,
    /// The runtime that is asked; absent when none is.
    pub cri: Option<Socket>,
    /// The cgroup below which pods are looked for, from the hierarchy's root on.
    pub below: PathBuf,
    /// The running kernel's release.
    pub kernel: String,
}

/// What the thread and those who ask share.
#[derive(Debug)]
pub struct Containers<K = Pinned> {
    splitter: Mutex<Splitter<K>>,
    state: Mutex<State>,
    apps: Mutex<Apps>,
}

/// What is known beside the slots.
#[derive(Clone, Debug, Default)]
struct State {
    told: Told,
    asks: bool,
    sentences: BTreeSet<String>,
}

/// Why containers are not told apart.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The maps.
    #[error(transparent)]
    Maps(#[from] MapsError),
    /// The kernel, or no thread.
    #[error("containers cannot be told apart")]
    Io(#[from] io::Error),
}

impl Containers {
    /// Opens what is pinned in `folder`, and does nothing yet.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(folder: &Path, now: Moment) -> Result<Arc<Self>, StartError> {
        let splitter = Splitter::open(Pinned::open(folder)?, now.uptime)?;
        Ok(Arc::new(Self {
            splitter: Mutex::new(splitter),
            state: Mutex::default(),
            apps: Mutex::default(),
        }))
    }
}

impl<K: Kernel> Containers<K> {
    /// What is not as it should be, a sentence each.
    pub fn sentences(&self) -> BTreeSet<String> {
        lock(&self.state).sentences.clone()
    }

    /// Adds to `snapshot` what is known of containers.
    pub fn tell(&self, snapshot: &mut Snapshot) {
        let state = lock(&self.state).clone();
        lock(&self.apps).tell(&state.told.runtime, &mut snapshot.interfaces);
        let splitter = lock(&self.splitter);
        snapshot.containers = splitter.containers();
        snapshot.unattributed = splitter.unattributed();
        let health = &mut snapshot.health;
        let (attached, defunct) = splitter.links();
        for (state, links) in [("attached", attached), ("defunct", defunct)] {
            health.links.push(LinkCount {
                hook: "cgroup",
                state,
                links: number(links),
            });
        }
        let failures = splitter.failures();
        let attach = failures.attach.iter();
        health
            .attach_failures
            .extend(attach.map(|(reason, count)| ("cgroup".into(), (*reason).into(), *count)));
        let updates = failures.maps.iter();
        health
            .map_failures
            .extend(updates.map(|(map, count)| ((*map).into(), *count)));
        let (slots, cgroups) = splitter.used();
        for (map, used, most) in [
            (maps::CONTAINERS, slots, CONTAINER_SLOTS),
            (maps::CGROUPS, cgroups, CGROUPS),
        ] {
            health.maps.push((map.into(), number(used), most.into(), 0));
        }
        if state.asks {
            health.cri_up = state.told.up;
            health
                .lookup_failures
                .push(("cri".into(), state.told.failures));
        }
        health
            .lookup_failures
            .push(("cgroup".into(), number(splitter.nameless())));
        health.degraded.extend(state.sentences);
    }
}

impl<K: Kernel + Send + 'static> Containers<K> {
    /// Keeps the containers of the pods that `records` names told apart, until `stop`, on a thread
    /// of its own. Begins when there is an answer.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(
        self: &Arc<Self>,
        settings: Settings,
        records: impl Fn() -> Option<Vec<PodRecord>> + Send + 'static,
        stop: &Arc<Stop>,
        clock: fn() -> Moment,
    ) -> io::Result<thread::JoinHandle<()>> {
        let (containers, stop) = (Arc::clone(self), Arc::clone(stop));
        let thread = thread::Builder::new().name("containers".into());
        thread.spawn(move || {
            keep_only(Needs::Programs);
            containers.run(&settings, &records, &stop, clock);
        })
    }

    fn run(
        &self,
        settings: &Settings,
        records: &dyn Fn() -> Option<Vec<PodRecord>>,
        stop: &Stop,
        clock: fn() -> Moment,
    ) {
        let mut looker = Looker::new(settings);
        // What is shown for a moment only is to be gone as soon.
        let sweep = SWEEP.min(settings.hold);
        while !stop.is_asked() {
            let now = clock();
            let Some(records) = records() else {
                thread::park_timeout(SETTLE);
                continue;
            };
            let planned = self.look(&mut looker, &records, now);
            self.work(planned, now, stop);
            let waited = || clock().uptime.saturating_sub(now.uptime);
            while !looker.heard() && !stop.is_asked() && waited() < sweep {}
            thread::park_timeout(SETTLE);
        }
    }

    /// One look: what is to be done.
    fn look(&self, looker: &mut Looker<'_>, records: &[PodRecord], now: Moment) -> Vec<Step> {
        let Looked {
            tree,
            told,
            mut sentences,
        } = looker.look(records, now.uptime);
        let mut splitter = lock(&self.splitter);
        // Of the last round: what is planned next is tried again.
        sentences.extend(splitter.failures().sentences());
        // What cannot be seen may be there all the same: nothing is taken away.
        let planned = tree.map(|tree| {
            splitter.plan(&Around {
                now: now.uptime,
                wall: now.time,
                hold: looker.settings.hold,
                split: looker.split(),
                tcp: looker.settings.tcp,
                tree: &tree,
                records,
                runtime: &told.runtime,
            })
        });
        let nameless = splitter.nameless() > 0;
        drop(splitter);
        let planned = planned.unwrap_or_else(|| Ok(Vec::new()));
        let planned = planned.unwrap_or_else(|error| {
            sentences.insert(format!(
                "containers are told apart as before, and no new ones: cannot list the links: \
                 {error}; {}",
                hint(&error)
            ));
            Vec::new()
        });
        if nameless {
            looker.ask();
        }
        *lock(&self.state) = State {
            told,
            asks: looker.asks(),
            sentences,
        };
        planned
    }

    fn work(&self, steps: Vec<Step>, now: Moment, stop: &Stop) {
        for step in steps {
            if stop.is_asked() {
                return;
            }
            // Readers get their turn between two steps.
            lock(&self.splitter).apply(step, now.uptime);
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
