//! The allocator by itself: callers at once in one process, beside a raw transaction that creates
//! keys of the same sizes on the same etcd with the same client, in turn.

use std::fmt;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use berth_ipam::{Ipam, NoEvidence, NodeIdentity, Request, pools};
use berth_store::{AnyStore, Compare, EtcdConfig, Outcome, Read, Store as _, StoreConfig};
use berth_store::{Txn, Write};
use berth_types::{BlockSize, Incarnation, PoolName, PoolRecord, Subnet, keys};
use etcd_testing::Etcd;
use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::debian;
use crate::process;
use crate::scratch::Scratch;
use crate::stats::Times;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many allocations in one round.
    pub calls: u32,
    /// How often each of the two has its turn at every number of callers.
    pub rounds: u8,
    /// How many addresses are held while the last line is measured.
    pub held: u32,
}

/// How many callers there are at once.
const CALLERS: [u32; 4] = [1, 16, 64, 256];
/// How many nodes hold addresses that are only to be held.
const NODES: u32 = 600;
/// How many of such a node's callers there are at once.
const FILLERS: u32 = 16;

/// What was measured at one number of callers, medians over the rounds.
#[derive(Clone, Debug, Default)]
pub struct Level {
    /// How many callers.
    pub callers: u32,
    /// Allocations a second.
    pub allocations: f64,
    /// Raw transactions a second.
    pub raw: f64,
    /// Median time of an allocation.
    pub median: Duration,
    /// Requests that etcd answered for each allocation.
    pub requests: f64,
}

/// Everything measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One line for each number of callers.
    pub levels: Vec<Level>,
    /// Opening the store and asking it once.
    pub connect: Duration,
    /// How many addresses were held for the next two.
    pub held: u32,
    /// Median time of an allocation by one caller, with none held and with that many.
    pub medians: [Duration; 2],
    /// Bytes of etcd's database for each address held, after compaction and defragmentation.
    pub bytes: f64,
}

/// An etcd with a pool, and one node.
struct Ground {
    server: Etcd,
    config: StoreConfig,
    scratch: Scratch,
}

/// Measures everything.
///
/// # Panics
/// When etcd is missing, or an allocation fails.
pub fn run(plan: Plan) -> Report {
    let ground = Ground::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(measure(&ground, plan))
}

async fn measure(ground: &Ground, plan: Plan) -> Report {
    ground.make_pool().await;
    let node = ground.node("n1");
    let sizes = ground.sizes(&node).await;
    let mut report = Report {
        connect: ground.connect().await,
        held: plan.held,
        ..Report::default()
    };
    for callers in CALLERS {
        report
            .levels
            .push(level(ground, &node, (plan, callers), sizes).await);
    }
    let before = ground.database_bytes().await;
    let none = allocate(&node, (plan.calls, 1)).await;
    release(&node, &none.names).await;
    for (n, share) in shares(plan.held, NODES).enumerate() {
        let filler = ground.node(&format!("filler-{n}"));
        allocate(&filler, (share, FILLERS)).await;
    }
    let many = allocate(&node, (plan.calls, 1)).await;
    release(&node, &many.names).await;
    report.medians = [none, many].map(|round| Times::new(round.times).median());
    let grown = ground.database_bytes().await - before;
    report.bytes = grown / f64::from(plan.held.max(1));
    report
}

async fn level(
    ground: &Ground,
    node: &Arc<Ipam<AnyStore>>,
    (plan, callers): (Plan, u32),
    sizes: [usize; 2],
) -> Level {
    let (mut ours, mut raws, mut times, mut requests) = (vec![], vec![], vec![], vec![]);
    // The first round of each makes connections and claims blocks, and is not counted.
    for round in 0..=plan.rounds {
        let before = ground.server.answered();
        let given = allocate(node, (plan.calls, callers)).await;
        let asked = (ground.server.answered() - before) / f64::from(plan.calls);
        release(node, &given.names).await;
        let raw = create(node.store(), (plan.calls, callers), sizes).await;
        if round > 0 {
            ours.push(f64::from(plan.calls) / given.elapsed.as_secs_f64());
            raws.push(f64::from(plan.calls) / raw.as_secs_f64());
            times.extend(given.times);
            requests.push(asked);
        }
    }
    Level {
        callers,
        allocations: median(ours),
        raw: median(raws),
        median: Times::new(times).median(),
        requests: median(requests),
    }
}

/// One round of allocations.
struct Round {
    elapsed: Duration,
    times: Vec<Duration>,
    names: Vec<String>,
}

/// That many allocations by that many callers at once.
#[expect(clippy::disallowed_methods, reason = "this is the stop watch")]
async fn allocate(node: &Arc<Ipam<AnyStore>>, (calls, callers): (u32, u32)) -> Round {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for share in shares(calls, callers) {
        let node = Arc::clone(node);
        tasks.spawn(async move {
            let mut done = Vec::new();
            for _ in 0..share {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let name = format!("c{number:012}");
                let id = format!("{}/bench/{name}/eth0", node.node().name);
                let mut random = [7; 16];
                random
                    .iter_mut()
                    .zip(number.to_be_bytes())
                    .for_each(|(to, from)| *to = from);
                let incarnation = Incarnation::from_random(random);
                let request = Request::new(id.parse().expect("an id"), incarnation, vec![pool()]);
                let asked = Instant::now();
                let given = node.allocate(&request, &NoEvidence, Timestamp::now()).await;
                given.expect("an address");
                done.push((asked.elapsed(), name));
            }
            done
        });
    }
    let done = tasks.join_all().await;
    let elapsed = begun.elapsed();
    let (times, names) = done.into_iter().flatten().unzip();
    Round {
        elapsed,
        times,
        names,
    }
}

async fn release(node: &Arc<Ipam<AnyStore>>, names: &[String]) {
    for name in names {
        let id = format!("{}/bench/{name}/eth0", node.node().name);
        let id = id.parse().expect("an id");
        let released = node.release(&id, None, Timestamp::now()).await;
        released.expect("a release");
    }
}

/// That many transactions that create two keys each, with values of these sizes.
#[expect(clippy::disallowed_methods, reason = "this is the stop watch")]
async fn create(store: &AnyStore, (calls, callers): (u32, u32), sizes: [usize; 2]) -> Duration {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for share in shares(calls, callers) {
        let store = store.clone();
        tasks.spawn(async move {
            for _ in 0..share {
                let txn = raw(NEXT.fetch_add(1, Ordering::Relaxed), sizes);
                let outcome = store.commit(&txn).await.expect("commit");
                assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
            }
        });
    }
    tasks.join_all().await;
    begun.elapsed()
}

fn raw(number: u64, [address, attachment]: [usize; 2]) -> Txn {
    let made = [("raw-a", address), ("raw-b", attachment)].map(|(kind, size)| {
        let key = format!("/berth/v1/{kind}/n1/bench/c{number:012}/eth0");
        (key, vec![b'x'; size])
    });
    Txn {
        compares: made
            .iter()
            .map(|(key, _)| Compare::absent(key.as_str()))
            .collect(),
        writes: made.map(|(key, value)| Write::put(key, value)).into(),
        otherwise: Vec::new(),
    }
}

/// How many of `calls` each of the callers makes.
fn shares(calls: u32, callers: u32) -> impl Iterator<Item = u32> {
    let callers = callers.max(1);
    (0..callers).map(move |n| calls / callers + u32::from(n < calls % callers))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn pool() -> PoolName {
    "bench".parse().expect("a name")
}

impl Ground {
    fn new() -> Self {
        let server = Etcd::start();
        let config = StoreConfig::Etcd(EtcdConfig::plain([server.endpoint()]));
        Self {
            server,
            config,
            scratch: Scratch::new("bench-ipam"),
        }
    }

    async fn make_pool(&self) {
        let subnet = Subnet {
            cidr: "10.64.0.0/14".parse().expect("a subnet"),
            gateway: None,
            range: None,
            exclude: Vec::new(),
            vlan: None,
            routes: Vec::new(),
        };
        let size = BlockSize::try_from(16).expect("a block size");
        let record = PoolRecord {
            // Released addresses are used again at once: every round is on the same ones.
            cooldown_s: 0,
            ..PoolRecord::new(vec![subnet], size)
        };
        let made = pools::create(&self.open(), &pool(), &record).await;
        made.expect("make the pool");
    }

    fn open(&self) -> AnyStore {
        AnyStore::open(&self.config).expect("open the store")
    }

    fn node(&self, name: &str) -> Arc<Ipam<AnyStore>> {
        let state = self.scratch.join(name);
        let mut random = [0; 16];
        random
            .iter_mut()
            .zip(name.bytes())
            .for_each(|(to, from)| *to = from);
        let node = NodeIdentity::load(name.parse().expect("a name"), &state, random);
        let node = node.expect("the node's id");
        Arc::new(Ipam::new(self.open(), &self.config, node, &state).resident())
    }

    /// How large the two records of an allocation are.
    async fn sizes(&self, node: &Arc<Ipam<AnyStore>>) -> [usize; 2] {
        let given = allocate(node, (1, 1)).await;
        let name = given.names.first().expect("one was given");
        let id = format!("n1/bench/{name}/eth0").parse().expect("an id");
        let ranges = [Read::Get(keys::attachment(&id).into())];
        let attachment = node.store().read(&ranges).await.expect("read");
        let held = berth_ipam::listing::addresses(node.store())
            .await
            .expect("read");
        let address: Option<IpAddr> = held.first().map(|stored| stored.address);
        let address = [Read::Get(
            keys::address(address.expect("one is held")).into(),
        )];
        let address = node.store().read(&address).await.expect("read");
        release(node, &given.names).await;
        [address, attachment].map(|answer| {
            let entry = answer.lists.first().and_then(|list| list.first());
            entry.expect("a record").value.len()
        })
    }

    /// The median time of opening the store and asking it once.
    #[expect(clippy::disallowed_methods, reason = "this is the stop watch")]
    async fn connect(&self) -> Duration {
        let mut times = Vec::new();
        for _ in 0..50 {
            let begun = Instant::now();
            let asked = [Read::Get(keys::CLOSED.into())];
            self.open().read(&asked).await.expect("an answer");
            times.push(begun.elapsed());
        }
        Times::new(times).median()
    }

    /// How large etcd's database is without anything that is only history.
    async fn database_bytes(&self) -> f64 {
        let revision = self.open().read(&[]).await.expect("read").revision.0;
        self.etcdctl(&["compact", "--physical", &revision.to_string()]);
        self.etcdctl(&["--command-timeout", "60s", "defrag"]);
        let metrics = self.server.metrics().expect("etcd's metrics");
        let mut lines = metrics.lines();
        let size = lines.find_map(|line| line.strip_prefix("etcd_mvcc_db_total_size_in_bytes "));
        size.and_then(|size| size.parse().ok())
            .expect("the database's size")
    }

    fn etcdctl(&self, arguments: &[&str]) {
        let mut command = Command::new(debian::require("etcdctl", "etcd-client"));
        command.env("ETCDCTL_API", "3");
        command.args(["--endpoints", &self.server.endpoint()]);
        process::output(command.args(arguments));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| callers | allocations/s | raw/s | ratio | p50 (ms) | requests each |"
        )?;
        writeln!(f, "|---:|---:|---:|---:|---:|---:|")?;
        for level in &self.levels {
            let Level {
                callers,
                allocations,
                raw,
                median,
                requests,
            } = level;
            let (ratio, p50) = (allocations / raw, ms(*median));
            writeln!(
                f,
                "| {callers} | {allocations:.0} | {raw:.0} | {ratio:.2} | {p50:.2} | {requests:.2} |"
            )?;
        }
        let (held, [none, many]) = (self.held, self.medians.map(ms));
        writeln!(f)?;
        writeln!(
            f,
            "- connection set-up and one answer: {:.2} ms",
            ms(self.connect)
        )?;
        writeln!(
            f,
            "- p50 of one caller: {none:.2} ms; with {held} held: {many:.2} ms, ratio {:.2}",
            many / none
        )?;
        writeln!(
            f,
            "- etcd's database for each address held: {:.0} bytes",
            self.bytes
        )
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
