//! `bench-traffic`: what counting costs a packet.
//!
//! `cargo run --release -p e2e --bin bench-traffic`. What it does is in [`e2e::bench::traffic`].

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use e2e::bench::traffic::{self, Plan};

/// Measures the kernel's programs, and prints a table.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many programs of each kind there are, each with a slot of its own.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000))]
    programs: u32,
    /// How many packets in one round.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..))]
    packets: u32,
    /// How often each kind of program has its turn.
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Fail when one costs more than it may.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let Arguments {
        programs,
        packets,
        rounds,
        check,
    } = Arguments::parse();
    let report = traffic::run(Plan {
        programs,
        packets,
        rounds,
    });
    let written = write!(io::stdout(), "{report}");
    if written.is_err() || (check && !report.holds()) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
