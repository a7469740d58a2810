//! The commands.

mod error;
mod live;
mod serve;
mod show;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command, completions, merged};
use crate::config::config;
use error::Failure;

/// Does what the command line says.
///
/// Exit codes: 0 done, 1 not done, 2 done but something is left or degraded, 64 usage.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked_or_wrong) => return error::exit_with_usage(&asked_or_wrong),
    };
    match run(cli) {
        Ok(code) => code,
        Err(failure) => failure.exit(&mut io::stderr().lock()),
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let Cli { options, command } = cli;
    if let Some(Command::Completions { shell }) = command {
        io::stdout().lock().write_all(&completions(shell))?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = config(merged(options)?)?;
    match command.unwrap_or(Command::Run) {
        Command::Run => serve::serve(&config),
        Command::Status => show::status(&config, &mut io::stdout().lock()),
        Command::Snapshot(args) => show::snapshot(&config, args.output, &mut io::stdout().lock()),
        Command::Uninstall => show::uninstall(&config, &mut io::stdout().lock()),
        Command::Completions { .. } => Ok(ExitCode::SUCCESS),
    }
}
