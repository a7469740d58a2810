//! `berth-ipam` with its kill points, for the tests that kill it at every one. Never released.

use std::process::ExitCode;

use berth_cni::Program;

fn main() -> ExitCode {
    berth_cni::program(Program::Delegated)
}
