//! Three etcd members and the nodes, each in a network namespace of its own on one LAN.

use std::process::Command;

use berth_store::{EtcdConfig, StoreConfig};
use serde_json::Value;

use super::schedule::Trouble;
use crate::debian;
use crate::etcd::Etcd;
use crate::lan::{Lan, LanOptions, Node};

/// How many members the cluster has.
pub const MEMBERS: u64 = 3;
/// How long a worker waits for one answer, in milliseconds: short, so that it lives to see many
/// that do not come.
const TIMEOUT_MS: u64 = 700;

/// The cluster and its clients' machines. Dropped in this order.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Etcd>,
    homes: Vec<Node>,
    nodes: Vec<Node>,
    lan: Lan,
}

/// What ends a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heal {
    /// The member is started again.
    Restart(usize),
    /// The member goes on.
    Resume(usize),
    /// The member's cable is put back.
    PlugMember(usize),
    /// The node's cable is put back.
    PlugNode(usize),
    /// All members go on.
    ResumeAll,
    /// It has ended already.
    Nothing,
}

impl Cluster {
    /// Starts the members, and waits until all answer.
    ///
    /// # Panics
    /// Without root, or when etcd is not installed.
    pub fn start(nodes: u64) -> Self {
        let lan = Lan::new(&LanOptions::default());
        let homes: Vec<_> = (0..MEMBERS).map(|n| lan.node(&format!("s{n}"))).collect();
        let nodes = (0..nodes).map(|n| lan.node(&format!("n{}", n + 1)));
        let nodes = nodes.collect();
        let at = homes.iter().map(|home| (home.netns(), home.address()));
        let members = Etcd::start_cluster_at(at);
        Self {
            members,
            homes,
            nodes,
            lan,
        }
    }

    /// How the nodes reach it.
    pub fn config(&self) -> StoreConfig {
        let endpoints = self.members.iter().map(|member| member.endpoint());
        StoreConfig::Etcd(EtcdConfig {
            timeout_ms: TIMEOUT_MS,
            ..EtcdConfig::plain(endpoints)
        })
    }

    /// A command that runs on a node.
    ///
    /// # Panics
    /// For a node that there is not.
    pub fn command(&self, node: u64, program: &std::path::Path) -> Command {
        let node = usize::try_from(node).ok().and_then(|n| self.nodes.get(n));
        node.expect("a node of the run").command(program)
    }

    /// Runs `body` where the whole cluster can be reached.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        self.lan.netns().run(body)
    }

    /// Begins a trouble; answers what ends it.
    pub fn begin(&mut self, trouble: Trouble) -> Heal {
        match trouble {
            Trouble::KillWorker(_) | Trouble::PauseWorker(_) => Heal::Nothing,
            Trouble::CutNode(node) => {
                let node = usize::try_from(node).unwrap_or(usize::MAX);
                if let Some(home) = self.nodes.get(node) {
                    self.lan.unplug(home);
                }
                Heal::PlugNode(node)
            }
            Trouble::KillMember(member) => self.kill(usize::try_from(member).ok()),
            Trouble::PauseMember(member) => self.pause(usize::try_from(member).ok()),
            Trouble::CutMember(member) => self.cut(usize::try_from(member).ok()),
            Trouble::KillLeader => self.kill(self.leader()),
            Trouble::PauseLeader => self.pause(self.leader()),
            Trouble::CutLeader => self.cut(self.leader()),
            Trouble::MoveLeader => {
                self.move_leader();
                Heal::Nothing
            }
            Trouble::PauseAll => {
                self.members.iter().for_each(|member| member.pause());
                Heal::ResumeAll
            }
        }
    }

    fn kill(&mut self, member: Option<usize>) -> Heal {
        let Some(at) = member else {
            return Heal::Nothing;
        };
        if let Some(member) = self.members.get_mut(at) {
            member.kill();
        }
        Heal::Restart(at)
    }

    fn pause(&self, member: Option<usize>) -> Heal {
        let Some(at) = member else {
            return Heal::Nothing;
        };
        if let Some(member) = self.members.get(at) {
            member.pause();
        }
        Heal::Resume(at)
    }

    fn cut(&self, member: Option<usize>) -> Heal {
        let Some(at) = member else {
            return Heal::Nothing;
        };
        if let Some(home) = self.homes.get(at) {
            self.lan.unplug(home);
        }
        Heal::PlugMember(at)
    }

    /// Ends a trouble.
    pub fn end(&mut self, heal: Heal) {
        match heal {
            Heal::Nothing => {}
            Heal::Restart(at) => {
                if let Some(member) = self.members.get_mut(at) {
                    member.restart_at_once();
                }
            }
            Heal::Resume(at) => {
                if let Some(member) = self.members.get(at) {
                    member.resume();
                }
            }
            Heal::ResumeAll => self.members.iter().for_each(|member| member.resume()),
            Heal::PlugMember(at) => {
                if let Some(home) = self.homes.get(at) {
                    self.lan.plug(home);
                }
            }
            Heal::PlugNode(at) => {
                if let Some(node) = self.nodes.get(at) {
                    self.lan.plug(node);
                }
            }
        }
    }

    /// Whether all members commit.
    pub fn is_healthy(&self) -> bool {
        self.members.iter().all(|member| member.is_healthy())
    }

    /// The member that says it leads.
    pub fn leader(&self) -> Option<usize> {
        let leads = |member: &Etcd| {
            let metrics = member.metrics().unwrap_or_default();
            metrics
                .lines()
                .any(|line| line == "etcd_server_is_leader 1")
        };
        self.members.iter().position(leads)
    }

    /// Has the leader hand over to another member. A cluster that is electing one has none.
    fn move_leader(&self) -> Option<()> {
        let at = self.leader()?;
        let endpoints: Vec<_> = self
            .members
            .iter()
            .map(|member| member.endpoint())
            .collect();
        let home = self.homes.get(at)?;
        let status = etcdctl(
            home,
            &endpoints.join(","),
            &["-w", "json", "endpoint", "status"],
        )?;
        let status: Value = serde_json::from_str(&status).ok()?;
        let other = status.as_array()?.iter().find_map(|one| {
            let status = one.get("Status")?;
            let id = status.get("header")?.get("member_id")?.as_u64()?;
            (Some(id) != status.get("leader")?.as_u64()).then_some(id)
        })?;
        etcdctl(
            home,
            endpoints.get(at)?,
            &["move-leader", &format!("{other:x}")],
        )
        .map(drop)
    }
}

/// What etcdctl prints; `None` when it fails, as it may in a cluster that has trouble.
fn etcdctl(home: &Node, endpoints: &str, arguments: &[&str]) -> Option<String> {
    let mut command = home.command(debian::require("etcdctl", "etcd-client"));
    command.env("ETCDCTL_API", "3");
    command.args(["--command-timeout", "2s", "--endpoints", endpoints]);
    let ran = command.args(arguments).output().ok()?;
    let text = String::from_utf8(ran.stdout).ok()?;
    ran.status.success().then_some(text)
}
