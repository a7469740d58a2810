//! `berth`: the CNI plugin. Everything is in the library; see [`berth_cni::run`].

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    berth_cni::run(
        |name| std::env::var(name).ok(),
        &mut io::stdin().lock(),
        &mut io::stdout().lock(),
    )
}
