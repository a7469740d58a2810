//! `berth-ipam`: addresses for other CNI plugins. Everything is in the library; see [`berth_cni::run`].

use std::process::ExitCode;

use berth_cni::Program;

fn main() -> ExitCode {
    berth_cni::program(Program::Delegated)
}
