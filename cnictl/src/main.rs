//! `cnictl`: the operator's hand on Berth.
//!
//! Exit codes: 0 done, 1 findings or a refusal, 2 could not tell, 64 usage.

mod address;
mod cli;
mod confirm;
mod error;
mod observe;
mod output;
mod pool;
mod reservation;
mod store;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use jiff::Timestamp;

use cli::{Cli, Command};
use error::{Ended, Failure};
use output::Printer;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked_or_wrong) => return error::exit_with_usage(&asked_or_wrong),
    };
    let mut out = Printer::new(cli.output, io::stdout().lock(), io::stderr().lock());
    let ended = run(&cli, &mut out).and_then(|ended| Ok(out.flush().map(|()| ended)?));
    error::exit(ended, &mut io::stderr().lock())
}

#[tokio::main(flavor = "current_thread")]
async fn run(
    cli: &Cli,
    out: &mut Printer<impl io::Write, impl io::Write>,
) -> Result<Ended, Failure> {
    let now = Timestamp::now();
    let store = || store::open(&cli.store);
    match &cli.command {
        Command::Completions { shell } => Ok(out.bytes(&cli::completions(*shell))?),
        Command::Pool(command) => pool::run(&cli.store, command, out).await,
        Command::Reserve(command) => reservation::run(&store()?, command, now, out).await,
        Command::Ip(command) => address::run(&cli.store, command, now, out).await,
        Command::Release(args) => address::release(&store()?, args, now, out).await,
    }
}
