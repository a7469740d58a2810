//! Drives a run: starts everything, makes trouble, heals, waits, reads, checks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::iter::Peekable;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use berth_store::StoreConfig;

use super::checker::{Stored, check};
use super::cluster::{Cluster, Heal, MEMBERS};
use super::crew::Crew;
use super::schedule::{Source, Stream, Trouble};
use super::worker::Order;
use super::{Kind, Plan, Report, history, stored};
use crate::netns::mortal;
use crate::process;
use crate::scratch::Scratch;
use crate::wait;

/// How long the healed cluster may take to be healthy.
const HEALING: Duration = Duration::from_secs(30);

/// How often a run says how far it is.
const PROGRESS: Duration = Duration::from_secs(20);

/// Where the workers are and what they share.
enum Ground {
    Cluster(Box<Cluster>),
    Embedded(StoreConfig),
}

impl Ground {
    fn config(&self) -> StoreConfig {
        match self {
            Self::Cluster(cluster) => cluster.config(),
            Self::Embedded(config) => config.clone(),
        }
    }

    fn command(&self, node: u64, program: &Path) -> Command {
        match self {
            Self::Cluster(cluster) => cluster.command(node, program),
            Self::Embedded(_) => mortal(program),
        }
    }

    /// Runs `body` where the store can be reached.
    fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Cluster(cluster) => cluster.run(body),
            Self::Embedded(_) => body(),
        }
    }
}

/// Does what `plan` says, and checks what came of it.
///
/// # Panics
/// When a program or a privilege is missing, a worker fails for a reason of its own, or the run
/// takes longer than its limit. A broken promise is no panic: it is in the report.
#[expect(clippy::disallowed_methods, reason = "this is the stop watch")]
pub fn run(plan: &Plan) -> Report {
    let scratch = Scratch::new("torture");
    let ground = match plan.kind {
        Kind::Etcd => Ground::Cluster(Box::new(Cluster::start(plan.nodes))),
        Kind::Embedded => Ground::Embedded(StoreConfig::Embedded(scratch.join("store"))),
    };
    let order = order(plan, &ground, scratch.path());
    let rules = ground.run(|| stored::block_on(stored::prepare(&order.store)));
    let mut report = Report {
        seed: plan.seed,
        ..Report::default()
    };
    let begun = Instant::now();
    let ground = Drive::new(plan, &order, ground).until_done(&mut report);
    report.elapsed = begun.elapsed();
    for node in 0..plan.nodes {
        let mut command = ground.command(node, &plan.program);
        let folder = scratch.path();
        process::output(command.arg("drain").arg(folder).arg(node.to_string()));
    }
    let end = ground.run(|| stored::block_on(stored::read(&order.store)));
    judge(&order, &end, &rules, &mut report);
    report
}

fn order(plan: &Plan, ground: &Ground, folder: &Path) -> Order {
    let order = Order {
        seed: plan.seed,
        workers: plan.workers,
        nodes: plan.nodes,
        ops: plan.ops.div_ceil(plan.workers),
        rest_ms: plan.rest_ms,
        store: ground.config(),
        pool: stored::POOL.to_owned(),
        sought: stored::sought(),
        folder: folder.to_owned(),
    };
    let text = serde_json::to_vec(&order).expect("an order is JSON");
    fs::write(Order::path(folder), text).expect("write the order");
    order
}

fn judge(order: &Order, end: &Stored, rules: &super::checker::Rules, report: &mut Report) {
    let mut histories = BTreeMap::new();
    for worker in 0..order.workers {
        let lines = history::read(&order.history(worker)).expect("read a history");
        report.count(&lines);
        histories.insert(format!("worker {worker}"), lines);
    }
    report.left = stored::counts(end);
    report.violations = check(&histories, end, rules);
    report.tell(&histories);
}

/// A trouble that has begun.
struct Begun {
    source: Source,
    ends_ms: u64,
    heal: Heal,
    trouble: Trouble,
}

/// A run under way.
struct Drive<'a> {
    plan: &'a Plan,
    order: &'a Order,
    crew: Crew,
    ground: Ground,
    streams: Vec<(Source, Peekable<Stream>)>,
    begun: Vec<Begun>,
    leader: Option<usize>,
}

impl<'a> Drive<'a> {
    fn new(plan: &'a Plan, order: &'a Order, ground: Ground) -> Self {
        let sizes = (plan.workers, plan.nodes, MEMBERS);
        let stream = |source: &Source| {
            let stream = Stream::new(*source, plan.seed, sizes);
            (*source, stream.peekable())
        };
        let mut drive = Self {
            plan,
            order,
            crew: Crew::new(&plan.program, order),
            streams: plan.troubles.iter().map(stream).collect(),
            begun: Vec::new(),
            leader: None,
            ground,
        };
        drive.leader = drive.find_leader();
        (0..plan.workers).for_each(|worker| drive.start(worker));
        drive
    }

    /// Makes trouble until all workers are done, and heals everything.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock of the troubles"
    )]
    fn until_done(mut self, report: &mut Report) -> Ground {
        let begun = Instant::now();
        let mut told = Duration::ZERO;
        let what = format!("the workers end (seed {})", self.plan.seed);
        wait::until(self.plan.limit, &what, || {
            let now_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.end_troubles(now_ms, report);
            self.begin_troubles(now_ms, report);
            if begun.elapsed() >= told + PROGRESS {
                told = begun.elapsed();
                self.tell_progress(told, report);
            }
            self.crew.is_done()
        });
        self.end_troubles(u64::MAX, report);
        if let Ground::Cluster(cluster) = &self.ground {
            wait::until(HEALING, "the cluster is healthy", || cluster.is_healthy());
        }
        self.ground
    }

    fn tell_progress(&self, elapsed: Duration, report: &Report) {
        let workers = 0..self.order.workers;
        let made: u64 = workers
            .map(|worker| history::begun(&self.order.history(worker)))
            .sum();
        let troubles: u64 = report.troubles.values().sum();
        let (seconds, all) = (elapsed.as_secs(), self.order.ops * self.order.workers);
        // Nobody waits for a progress report that cannot be written.
        drop(writeln!(
            io::stderr(),
            "  {seconds:>5} s  {made:>7} of {all} operations, {troubles} troubles"
        ));
    }

    fn begin_troubles(&mut self, now_ms: u64, report: &mut Report) {
        for at in 0..self.streams.len() {
            let Some((source, stream)) = self.streams.get_mut(at) else {
                continue;
            };
            let source = *source;
            // One that took long to begin or to end puts off the next of its kind.
            if self.begun.iter().any(|begun| begun.source == source) {
                continue;
            }
            if let Some(planned) = stream.next_if(|planned| planned.at_ms <= now_ms) {
                let trouble = planned.trouble;
                if let Some(heal) = self.begin(trouble) {
                    *report.troubles.entry(trouble.name()).or_default() += 1;
                    self.begun.push(Begun {
                        source,
                        ends_ms: now_ms + planned.lasts_ms,
                        heal,
                        trouble,
                    });
                }
            }
        }
    }

    /// What ends it; `None` when there is nobody to have it.
    fn begin(&mut self, trouble: Trouble) -> Option<Heal> {
        match trouble {
            Trouble::KillWorker(worker) => self.crew.kill(worker).then_some(Heal::Nothing),
            Trouble::PauseWorker(worker) => self.crew.pause(worker).then_some(Heal::Nothing),
            other => match &mut self.ground {
                Ground::Cluster(cluster) => Some(cluster.begin(other)),
                Ground::Embedded(_) => None,
            },
        }
    }

    fn end_troubles(&mut self, now_ms: u64, report: &mut Report) {
        let due = |begun: &mut Begun| begun.ends_ms <= now_ms;
        let ended: Vec<_> = self.begun.extract_if(.., due).collect();
        for begun in ended {
            match begun.trouble {
                Trouble::KillWorker(worker) => self.start(worker),
                Trouble::PauseWorker(worker) => self.crew.resume(worker),
                Trouble::CutNode(_) => self.heal(begun.heal),
                _ => {
                    let leader = self.find_leader();
                    if leader.is_some() && leader != self.leader {
                        report.leader_changes += 1;
                        self.leader = leader;
                    }
                    self.heal(begun.heal);
                }
            }
        }
    }

    fn heal(&mut self, heal: Heal) {
        if let Ground::Cluster(cluster) = &mut self.ground {
            cluster.end(heal);
        }
    }

    fn find_leader(&self) -> Option<usize> {
        match &self.ground {
            Ground::Cluster(cluster) => cluster.leader(),
            Ground::Embedded(_) => None,
        }
    }

    fn start(&mut self, worker: u64) {
        let node = worker.checked_rem(self.order.nodes).unwrap_or(0);
        let ground = &self.ground;
        self.crew
            .start(worker, |program| ground.command(node, program));
    }
}
