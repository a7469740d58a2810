//! Pods whose containers speak, and an agent that may be killed.

use std::fs;
use std::mem;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use e2e::cgroup::{Cgroup, remove};
use e2e::process::Daemon;
use e2e::wait::{becomes_true, until};

use super::peer::{Counts, Peer, Worker};
use super::pod::{Group, id};
use crate::engine::ground::{Ground, PATIENCE};
use crate::engine::kill::{SOON, faults};

/// What the two containers of a pod are called; later ones come behind.
pub(super) const FIRST: [char; 2] = ['a', 'b'];

/// A node, and a peer for each of a pod's two containers.
pub(super) struct Scene {
    pub(super) ground: Ground,
    cgroups: Cgroup,
    peers: [Peer; 2],
}

/// A pod whose two containers speak with a peer each, and others that are silent.
pub(super) struct Pod<'a> {
    scene: &'a Scene,
    group: Group<'a>,
    workers: Vec<Worker>,
    others: Vec<(char, Worker)>,
    /// From when on everything is counted.
    pub(super) mark: Option<Mark>,
}

/// What was on the wire, and what was counted, when nothing was on its way: of each container.
pub(super) type Mark = [[Counts; 2]; 2];

impl Scene {
    pub(super) fn new() -> Self {
        let ground = Ground::new();
        let mut peers = [Peer::new(&ground.lan, 1), Peer::new(&ground.lan, 2)];
        for peer in &mut peers {
            peer.worker.tell(&format!("sink {}:9", peer.address));
            peer.worker.tell(&format!("serve {}:80", peer.address));
        }
        Self {
            ground,
            cgroups: Cgroup::new(),
            peers,
        }
    }

    pub(super) fn pod(&self, number: usize) -> Pod<'_> {
        let group = Group::numbered(&self.ground, &self.cgroups, number);
        for peer in &self.peers {
            peer.face(&self.ground.lan, &group.netns);
        }
        let mut workers: Vec<Worker> = FIRST.map(|digit| group.container(&id(digit).0)).into();
        for worker in &mut workers {
            worker.tell("udp s");
        }
        Pod {
            scene: self,
            group,
            workers,
            others: Vec::new(),
            mark: None,
        }
    }

    /// An agent that is killed at a place, or tells those that it passes, as `variable` says.
    pub(super) fn start(&self, variable: Option<(&str, &str)>) -> Daemon {
        let (path, [show, seconds]) = (self.cgroups.path(), SOON);
        let arguments = ["--cgroup", &path, "--cri", "none", show, seconds];
        let mut command = self.ground.agent_at(&faults(), &arguments);
        command.envs(variable);
        Daemon::start(&mut command, &self.ground.scratch.join("agent.log"))
    }

    /// How many links there are at pods' cgroups.
    pub(super) fn links(&self) -> usize {
        let links = self.ground.links().into_iter();
        links.filter(|link| link.starts_with("pod-")).count()
    }

    /// How many entries of `map` are in use.
    pub(super) fn used(&self, map: &str) -> u64 {
        let maps = &self.ground.snapshot()["health"]["maps"];
        let found = { maps.as_array().expect("maps").iter() }.find(|one| one["map"] == map);
        found.expect("that map")["used"].as_u64().expect("a number")
    }

    /// Links, slots, and cgroups that count.
    pub(super) fn left(&self) -> [u64; 3] {
        let links = u64::try_from(self.links()).expect("a number");
        [links, self.used("containers"), self.used("cgroups")]
    }

    /// An agent leaves nothing but what `pods` pods of two containers and a sandbox have.
    pub(super) fn assert_left(&self, pods: u64, place: &str) {
        let mut agent = self.start(None);
        let mut left = self.left();
        let wanted = [2, 2, 3].map(|each| each * pods);
        let gone = becomes_true(Duration::from_secs(20), || {
            left = self.left();
            left == wanted
        });
        assert!(
            gone,
            "links, slots and cgroups, killed at {place}: {left:?}"
        );
        agent.stop(PATIENCE);
    }
}

impl Pod<'_> {
    /// Starts a container that says nothing.
    pub(super) fn add(&mut self, digit: char) {
        let worker = self.group.container(&id(digit).0);
        self.others.push((digit, worker));
    }

    /// Ends the silent containers.
    pub(super) fn drop_others(&mut self) {
        for (digit, worker) in mem::take(&mut self.others) {
            drop(worker);
            let cgroup = self.group.cgroup(&id(digit).0);
            assert!(becomes_true(PATIENCE, || remove(&cgroup)), "it has ended");
        }
    }

    /// The pod ends, and nobody counts for it any more.
    pub(super) fn end(&mut self) {
        self.workers.clear();
        self.drop_others();
        self.group.end();
    }

    /// Whether just the containers `digits` are told apart, by one link each way.
    pub(super) fn has(&self, digits: &[char]) -> bool {
        let shown = self.group.shown().into_iter().map(|(name, _)| name);
        let wanted = digits.iter().map(|digit| id(*digit).1);
        let cgroup = fs::metadata(self.group.cgroup("")).expect("its cgroup");
        let own = format!("pod-{}-", cgroup.ino());
        let links = self.scene.ground.links();
        shown.eq(wanted) && links.iter().filter(|link| link.starts_with(&own)).count() == 2
    }

    /// Does `work` while both containers send and receive all the time.
    pub(super) fn under_load<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let done = AtomicBool::new(false);
        let (workers, peers) = (&mut self.workers, &self.scene.peers);
        thread::scope(|scope| {
            for (worker, peer) in workers.iter_mut().zip(peers) {
                let (address, done) = (peer.address.as_str(), &done);
                scope.spawn(move || {
                    let over = || done.load(Ordering::Relaxed);
                    while !becomes_true(Duration::from_millis(5), over) {
                        speak(worker, address, 2000);
                    }
                });
            }
            let _over = Over(&done);
            work()
        })
    }

    /// What stands where, as soon as nothing is on its way.
    pub(super) fn mark(&self) -> Mark {
        let look = || {
            [0, 1].map(|at: usize| {
                let counted = self.group.counts(&id(FIRST[at]).1);
                [self.scene.peers[at].wire(), counted.unwrap_or_default()]
            })
        };
        let mut last = look();
        let quiet = becomes_true(Duration::from_secs(20), || {
            becomes_true(Duration::from_millis(100), || false);
            let now = look();
            mem::replace(&mut last, now) == now
        });
        assert!(quiet, "it never falls silent: {last:?}");
        last
    }

    /// What was counted since the mark is what was on the wire.
    #[track_caller]
    pub(super) fn assert_exact(&self, case: &str) {
        let (now, mark) = (self.mark(), self.mark.expect("a mark"));
        for (at, digit) in FIRST.into_iter().enumerate() {
            let [wire, counted] = [0, 1].map(|which: usize| {
                [0, 1].map(|way: usize| now[at][which][way].since(mark[at][which][way]))
            });
            assert_eq!(counted, wire, "{case}: of {digit}, counted and on the wire");
        }
    }

    /// Another agent counts on, and nothing twice.
    pub(super) fn counts_on(&mut self, digits: &[char], place: &str) {
        let mut agent = self.scene.start(None);
        until(PATIENCE, "they are told apart", || self.has(digits));
        if self.mark.is_none() {
            self.mark = Some(self.mark());
        }
        self.assert_exact(&format!("the gap, killed at {place}"));
        for (worker, peer) in self.workers.iter_mut().zip(&self.scene.peers) {
            speak(worker, &peer.address, 70_000);
        }
        self.assert_exact(&format!("counted on, killed at {place}"));
        agent.stop(PATIENCE);
    }
}

/// Tells whoever sends that it is over, whatever came of the work.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends datagrams, and `bytes` by a connection, which come back.
fn speak(worker: &mut Worker, address: &str, bytes: usize) {
    worker.tell(&format!("send s {address}:9 10 300"));
    worker.tell(&format!("tcp {address}:80 {bytes}"));
}
