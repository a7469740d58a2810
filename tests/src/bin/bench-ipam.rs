//! `bench-ipam`: the allocator beside a raw transaction of the same size on the same etcd.
//!
//! `cargo run --release -p e2e --bin bench-ipam`. What it does is in [`e2e::bench::ipam`].

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use e2e::bench::ipam::{self, Plan};

/// Measures allocations in one process, and prints a table.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many allocations in one round.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    calls: u32,
    /// How often each has its turn at every number of callers.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// How many addresses are held while the last line is measured.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    held: u32,
}

fn main() -> ExitCode {
    let Arguments {
        calls,
        rounds,
        held,
    } = Arguments::parse();
    let report = ipam::run(Plan {
        calls,
        rounds,
        held,
    });
    match write!(io::stdout(), "{report}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
