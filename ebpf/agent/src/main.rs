//! `traffic-agent`: Berth's traffic counters.

use std::process::ExitCode;

fn main() -> ExitCode {
    traffic_agent::cli::main()
}
