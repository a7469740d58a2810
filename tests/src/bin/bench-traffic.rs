//! `bench-traffic`: what counting costs a packet.
//!
//! `cargo run --release -p e2e --bin bench-traffic -- programs`, or `-- wire`. What they do is in
//! [`e2e::bench::traffic`] and [`e2e::bench::wire`].

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use e2e::bench::{traffic, wire};

/// Measures what counting costs, and prints a table.
#[derive(Debug, Parser)]
enum Arguments {
    /// The kernel's programs by themselves, beside what they are made of.
    Programs {
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
    },
    /// Packets through a container's interface, with the programs and without.
    Wire {
        /// How many frames of 64 bytes in one round.
        #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(1000..))]
        datagrams: u32,
        /// How many megabytes of TCP in one round.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        megabytes: u32,
        /// How often each has its turn.
        #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..=1000))]
        rounds: u32,
    },
}

fn main() -> ExitCode {
    match Arguments::parse() {
        Arguments::Programs {
            programs,
            packets,
            rounds,
            check,
        } => {
            let report = traffic::run(traffic::Plan {
                programs,
                packets,
                rounds,
            });
            print(&report, !check || report.holds())
        }
        Arguments::Wire {
            datagrams,
            megabytes,
            rounds,
        } => {
            let plan = wire::Plan {
                datagrams,
                megabytes,
                rounds,
            };
            print(&wire::run(plan), true)
        }
    }
}

fn print(report: &impl Display, holds: bool) -> ExitCode {
    let written = write!(io::stdout(), "{report}");
    if written.is_err() || !holds {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
