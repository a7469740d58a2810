//! `berth` with its kill points, for the tests that kill it at every one. Never released.

use std::process::ExitCode;

fn main() -> ExitCode {
    berth_cni::program()
}
