//! `torture` with an allocator that leaves out one compare: what the checker must notice.

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::torture::cli::main()
}
