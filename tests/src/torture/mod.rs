//! The torture test of the allocator: real processes on a real three-member etcd, or on the
//! embedded store, under every kind of trouble; and a checker that reads what came of it.
//!
//! ```text
//!   namespaces s0 s1 s2 (etcd)      one LAN      namespaces n1 … n8, 8 workers on each
//!        ▲ killed, paused, cut off                    ▲ killed, paused, cut off
//!        └───────────── the driver (this process), troubles from a seed ─────┘
//! ```
//!
//! Every decision of a worker is drawn from the seed, its number and the operation's number;
//! every trouble from the seed. What the scheduler and the network do is their own affair.

pub mod allocator;
pub mod chance;
pub mod checker;
pub mod cli;
pub mod cluster;
pub mod crew;
pub mod desk;
pub mod history;
pub mod report;
pub mod schedule;
pub mod stored;
pub mod worker;

mod driver;

use std::path::PathBuf;
use std::time::Duration;

pub use driver::run;
pub use report::Report;

/// Which store is tortured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Three etcd members.
    Etcd,
    /// The embedded store.
    Embedded,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which store.
    pub kind: Kind,
    /// What every decision is drawn from.
    pub seed: u64,
    /// How many operations all workers make together.
    pub ops: u64,
    /// How many workers, spread over the nodes.
    pub workers: u64,
    /// How many nodes.
    pub nodes: u64,
    /// What goes wrong.
    pub troubles: Vec<schedule::Source>,
    /// How long a worker rests between two operations on average, in milliseconds.
    pub rest_ms: u64,
    /// After how long the run is given up.
    pub limit: Duration,
    /// The program `torture`, which the workers are.
    pub program: PathBuf,
}

impl Plan {
    /// 64 workers on 8 nodes that make a few thousand operations, or 100,000 in the long run.
    pub fn new(kind: Kind, seed: u64, program: PathBuf) -> Self {
        let long = std::env::var_os("BERTH_LONG").is_some();
        Self {
            kind,
            seed,
            ops: if long { 100_000 } else { 2_000 },
            workers: 64,
            nodes: 8,
            troubles: match kind {
                Kind::Etcd => schedule::Source::ALL.to_vec(),
                Kind::Embedded => schedule::Source::LOCAL.to_vec(),
            },
            rest_ms: 60,
            limit: Duration::from_secs(if long { 3000 } else { 120 }),
            program,
        }
    }
}
