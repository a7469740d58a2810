//! Runs a program in the virtual machine: `in-machine PROGRAM ARGUMENT...`. Cargo calls it for every
//! test program where it is named as its runner.
#![expect(
    clippy::expect_used,
    reason = "test support: whatever is unexpected must fail loudly"
)]

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use e2e::vm;

/// An emulated processor on a busy machine takes its time.
const DEADLINE: Duration = Duration::from_mins(30);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).map(|word| quoted(&word)).collect();
    let ran = vm::run(&words.join(" "), DEADLINE);
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "{}{}", ran.output, ran.console).expect("write what it printed");
    let code = ran.code.and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// As bash takes it for one word.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
