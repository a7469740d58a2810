//! `bench-cni`: Berth beside the reference plugins, in turn, on the same parent interface.
//!
//! `cargo build --release -p berth-cni -p cnictl && cargo run --release -p e2e --bin bench-cni`
//! as root. What it does is in [`e2e::bench`].

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use e2e::bench::{self, Plan, Whom};
use serde::Serialize;

/// Measures ADD and DEL of berth beside Debian's macvlan + host-local, in turn, and prints a table.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many ADDs and DELs one after the other, for each plugin.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=200))]
    calls: u8,
    /// How many ADDs at once, then as many DELs at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..=200))]
    at_once: u8,
    /// How often the ADDs at once are repeated.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// What is measured.
    #[arg(value_enum, default_value_t = What::Macvlan)]
    what: What,
    /// A table for people, or everything measured for programs.
    #[arg(short, long, value_enum, default_value_t = Output::Markdown)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// The driver `macvlan` beside Debian's macvlan + host-local.
    Macvlan,
    /// The driver `ovs` beside Debian's bridge + host-local.
    Ovs,
    /// IPAM plugins alone, as interface plugins call them: `berth-ipam` beside host-local.
    Ipam,
    /// Interfaces with limits: berth beside the chain bridge + bandwidth; then how near traffic
    /// comes to berth's limits.
    Bandwidth,
    /// What interfaces carry, with and without host access, beside the reference macvlan; no calls
    /// are timed.
    Throughput,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Markdown,
    Json,
}

fn main() -> ExitCode {
    let Arguments {
        calls,
        at_once,
        rounds,
        what,
        output,
    } = Arguments::parse();
    let whom = match what {
        What::Macvlan => Whom::Interfaces,
        What::Ovs => Whom::Switched,
        What::Ipam => Whom::Ipam,
        What::Bandwidth => Whom::Bandwidth,
        What::Throughput => return print(&bench::carried::run(rounds), output),
    };
    let report = bench::run(Plan {
        whom,
        calls,
        at_once,
        rounds,
    });
    let report = match whom {
        Whom::Bandwidth => report.with_limits(bench::limits::run()),
        Whom::Interfaces | Whom::Switched | Whom::Ipam => report,
    };
    print(&report, output)
}

fn print<T: Display + Serialize>(report: &T, output: Output) -> ExitCode {
    let mut out = io::stdout().lock();
    let written = match output {
        Output::Markdown => write!(out, "{report}"),
        Output::Json => serde_json::to_writer_pretty(&mut out, report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
