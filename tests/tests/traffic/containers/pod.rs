//! A pod with several containers: programs in cgroups as a runtime makes them, in one network
//! namespace.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use e2e::cgroup::{Cgroup, remove};
use e2e::netns::Netns;
use e2e::wait::becomes_true;
use serde_json::Value;

use super::peer::{Counts, Worker, count};
use crate::engine::ground::{Ground, PATIENCE};

/// A pod of several containers.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) netns: Netns,
    name: String,
    pub(crate) uid: String,
    pub(crate) sandbox: String,
    pub(crate) cgroups: &'a Cgroup,
}

impl<'a> Group<'a> {
    /// The pod `name` with an interface and a sandbox, and no container yet. `digit` makes its ids.
    pub(crate) fn new(ground: &'a Ground, cgroups: &'a Cgroup, name: &str, digit: char) -> Self {
        let of = |count| digit.to_string().repeat(count);
        let uid = [of(8), of(4), of(4), of(4), of(12)].join("-");
        let sandbox = format!("{}{}", of(60), "5a5a");
        Self::named(ground, cgroups, (name, &sandbox, &uid))
    }

    /// One of many.
    pub(crate) fn numbered(ground: &'a Ground, cgroups: &'a Cgroup, number: usize) -> Self {
        let uid = format!("00000000-0000-0000-0000-{number:012}");
        let sandbox = format!("{number:012x}{:052x}", 0x5a5a);
        Self::named(ground, cgroups, (&format!("web-{number}"), &sandbox, &uid))
    }

    fn named(ground: &'a Ground, cgroups: &'a Cgroup, pod: (&str, &str, &str)) -> Self {
        let (name, sandbox, uid) = pod;
        let netns = ground.connect(name, sandbox, uid);
        let (name, sandbox, uid) = (name.to_owned(), sandbox.to_owned(), uid.to_owned());
        let group = Self {
            ground,
            netns,
            name,
            uid,
            sandbox,
            cgroups,
        };
        group.cgroup(&group.sandbox);
        group
    }

    /// The pod's cgroup.
    pub(crate) fn path(&self) -> String {
        format!("kubepods/burstable/pod{}", self.uid)
    }

    /// The cgroup of the container `id`.
    pub(crate) fn cgroup(&self, id: &str) -> PathBuf {
        self.cgroups.make(&format!("{}/{id}", self.path()))
    }

    /// A program in the container `id`.
    pub(crate) fn container(&self, id: &str) -> Worker {
        Worker::start(&self.netns, Some(&self.cgroup(id)))
    }

    /// The pod ends: its interface and its cgroups go. Its programs have ended.
    pub(crate) fn end(&self) {
        let Self { name, uid, .. } = self;
        self.ground
            .call("DEL", (name, &self.sandbox, uid), &self.netns);
        let cgroup = self.cgroups.make(&self.path());
        let gone = becomes_true(PATIENCE, || remove(&cgroup));
        assert!(gone, "{} has a process", cgroup.display());
    }

    /// The containers that are shown, by their names.
    pub(crate) fn shown(&self) -> Vec<(String, Value)> {
        if !self.ground.pins().join("workloads").exists() {
            return Vec::new();
        }
        let snapshot = self.ground.snapshot();
        let containers = snapshot["containers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let own = containers.into_iter().filter(|one| one["uid"] == self.uid);
        own.map(|one| {
            (
                one["name"].as_str().expect("a name").to_owned(),
                one["counts"].clone(),
            )
        })
        .collect()
    }

    /// What the container `name` received and sent.
    pub(crate) fn counts(&self, name: &str) -> Option<Counts> {
        let found = self.shown().into_iter().find(|(known, _)| known == name)?;
        Some(["receive", "transmit"].map(|way| count(&found.1[way])))
    }

    /// Waits until the containers `names` are told apart.
    #[track_caller]
    pub(crate) fn wait_split(&self, names: &[&str]) {
        let apart = becomes_true(PATIENCE, || {
            let shown: Vec<String> = self.shown().into_iter().map(|(name, _)| name).collect();
            let links = self.ground.links();
            let pair = links.iter().filter(|link| link.starts_with("pod-")).count();
            shown == names && pair >= 2
        });
        if !apart {
            let log = fs::read_to_string(self.ground.scratch.join("agent.log"));
            let (snapshot, links) = (self.ground.snapshot(), self.ground.links());
            panic!("{names:?} are not told apart: {links:?} {snapshot:#} {log:?}");
        }
    }

    /// The container `name` has what was on the wire, as soon as nothing is on its way any more.
    #[track_caller]
    pub(crate) fn assert_exact(&self, case: &str, name: &str, wire: impl Fn() -> Counts) {
        let (mut counted, mut wanted) = (None, Counts::default());
        let settled = becomes_true(Duration::from_secs(20), || {
            counted = self.counts(name);
            wanted = wire();
            counted == Some(wanted)
        });
        assert!(
            settled,
            "{case}: {name} has {counted:?}, on the wire were {wanted:?}"
        );
    }
}

/// A container's id, and the name it has until the runtime has told another.
pub(crate) fn id(digit: char) -> (String, String) {
    let id = digit.to_string().repeat(64);
    let short = digit.to_string().repeat(12);
    (id, short)
}
