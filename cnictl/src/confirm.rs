//! Asking before something is destroyed.

use std::io::{self, BufRead as _, IsTerminal as _, Write};

use crate::error::Failure;
use crate::output::Printer;

/// Asks on the terminal; only `y` and `yes` agree.
///
/// # Errors
/// [`Failure::Declined`] on any other answer, [`Failure::NobodyToAsk`] without a terminal.
pub(crate) fn confirm(
    question: &str,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<(), Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::NobodyToAsk);
    }
    out.ask(question)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Declined),
    }
}
