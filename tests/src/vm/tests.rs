//! Tests that run in the machine: a test program that is started there once more.

use std::io::Write as _;
use std::time::Duration;

/// An emulated processor on a busy machine takes its time.
const DEADLINE: Duration = Duration::from_mins(30);

/// Boots a machine and runs this very test program in it with `arguments`, by bash, which begins with
/// `preparation`.
///
/// # Panics
/// Unless all of the chosen tests pass, and there is one; and as [`super::run`].
pub fn pass(preparation: &str, arguments: &str) {
    let this = std::env::current_exe().expect("the path of the running program");
    let command = format!(
        "{preparation}{} {arguments} --color=never; status=$?; cat /proc/uptime; exit $status",
        this.display()
    );
    let ran = super::run(&command, DEADLINE);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.output, ran.console);
    let passed = ran.output.contains("test result: ok.");
    assert!(
        passed && !ran.output.contains(" 0 passed"),
        "{}",
        ran.output
    );
    // For whoever watches; nobody reads what cannot be written.
    drop(writeln!(std::io::stderr(), "{}", ran.output));
}
