//! `berth`: the CNI plugin. Everything is in the library; see [`berth_cni::run`].

use std::process::ExitCode;

fn main() -> ExitCode {
    berth_cni::program()
}
