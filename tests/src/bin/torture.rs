//! `torture`: the torture test by hand, and the workers it starts.
//!
//! `cargo run -p e2e --bin torture -- run --seed 7 --ops 20000` as root. What it does is in
//! [`e2e::torture`].

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::torture::cli::main()
}
