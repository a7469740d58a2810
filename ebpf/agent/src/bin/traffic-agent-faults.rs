//! `traffic-agent`, killed where a test wants it.

use std::process::ExitCode;

fn main() -> ExitCode {
    traffic_agent::cli::main()
}
