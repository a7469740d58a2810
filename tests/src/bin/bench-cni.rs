//! `bench-cni`: Berth beside the reference plugins, in turn, on the same parent interface.
//!
//! `cargo build --release -p berth-cni -p cnictl && cargo run --release -p e2e --bin bench-cni`
//! as root. What it does is in [`e2e::bench`].

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use e2e::bench::{self, Plan, Whom};

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
    /// IPAM plugins alone, as interface plugins call them: `berth-ipam` beside host-local.
    #[arg(long, conflicts_with_all = ["ovs", "bandwidth"])]
    ipam: bool,
    /// Ports of a bridge: the driver `ovs` beside Debian's bridge + host-local.
    #[arg(long, conflicts_with = "bandwidth")]
    ovs: bool,
    /// Interfaces with limits: berth beside the chain bridge + bandwidth; then how near traffic
    /// comes to berth's limits.
    #[arg(long)]
    bandwidth: bool,
    /// A table for people, or everything measured for programs.
    #[arg(short, long, value_enum, default_value_t = Output::Markdown)]
    output: Output,
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
        ipam,
        ovs,
        bandwidth,
        output,
    } = Arguments::parse();
    let report = bench::run(Plan {
        whom: match (ipam, ovs, bandwidth) {
            (true, _, _) => Whom::Ipam,
            (false, true, _) => Whom::Switched,
            (false, false, true) => Whom::Bandwidth,
            (false, false, false) => Whom::Interfaces,
        },
        calls,
        at_once,
        rounds,
    });
    let report = if bandwidth {
        report.with_limits(bench::limits::run())
    } else {
        report
    };
    let mut out = io::stdout().lock();
    let written = match output {
        Output::Markdown => write!(out, "{report}"),
        Output::Json => serde_json::to_writer_pretty(&mut out, &report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
