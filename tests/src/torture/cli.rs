//! The command line of `torture`, which is also that of the workers it starts.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use super::stored::block_on;
use super::worker::{self, Broken, Order};
use super::{Kind, Plan, driver};

/// Tortures the allocator with real processes, and checks what came of it.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the test and prints what it did; fails when a promise was broken.
    Run {
        /// The store.
        #[arg(long, value_enum, default_value_t = Store::Etcd)]
        store: Store,
        /// What every decision is drawn from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many operations all workers make together.
        #[arg(long)]
        ops: Option<u64>,
        /// How long a worker rests between two operations on average, in milliseconds.
        #[arg(long)]
        rest_ms: Option<u64>,
        /// Nothing goes wrong.
        #[arg(long)]
        calm: bool,
    },
    /// One worker of a run.
    #[command(hide = true)]
    Work { folder: PathBuf, worker: u64 },
    /// Makes the releases that wait on a worker's node.
    #[command(hide = true)]
    Drain { folder: PathBuf, worker: u64 },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Store {
    Etcd,
    Embedded,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run {
            store,
            seed,
            ops,
            rest_ms,
            calm,
        } => plan(store, seed).and_then(|mut plan| {
            plan.ops = ops.unwrap_or(plan.ops);
            plan.rest_ms = rest_ms.unwrap_or(plan.rest_ms);
            if calm {
                plan.troubles.clear();
            }
            run(&plan)
        }),
        Command::Work { folder, worker } => {
            order(&folder).and_then(|order| block_on(worker::work(&order, worker)))
        }
        Command::Drain { folder, worker } => {
            order(&folder).and_then(|order| block_on(worker::drain(&order, worker)))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(broken) => {
            drop(writeln!(io::stderr(), "torture: {broken}"));
            ExitCode::FAILURE
        }
    }
}

fn plan(store: Store, seed: u64) -> Result<Plan, Broken> {
    let kind = match store {
        Store::Etcd => Kind::Etcd,
        Store::Embedded => Kind::Embedded,
    };
    Ok(Plan::new(kind, seed, std::env::current_exe()?))
}

fn run(plan: &Plan) -> Result<(), Broken> {
    let report = driver::run(plan);
    write!(io::stdout(), "{report}")?;
    if report.violations.is_empty() {
        Ok(())
    } else {
        Err(Broken::from(io::Error::other("a promise was broken")))
    }
}

fn order(folder: &Path) -> Result<Order, Broken> {
    let text = std::fs::read(Order::path(folder))?;
    Ok(serde_json::from_slice(&text).map_err(io::Error::from)?)
}
