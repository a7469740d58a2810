//! The allocator by itself: callers at once in one process, beside a raw transaction that creates
//! keys of the same sizes on the same etcd with the same client, in turn.

mod ground;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use berth_ipam::{Ipam, NoEvidence, Request};
use berth_store::{AnyStore, Compare, Outcome, Store as _, Txn, Write};
use berth_types::Incarnation;
use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::stats::{Figures, Times};
use ground::{Ground, pool};
pub use report::{Level, Report};

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
        allocations: Figures::new(ours).median(),
        raw: Figures::new(raws).median(),
        median: Times::new(times).median(),
        requests: Figures::new(requests).median(),
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
