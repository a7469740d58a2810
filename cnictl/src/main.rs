//! `cnictl`: the operator's hand on Berth.
//!
//! Exit codes: 0 done, 1 findings or a refusal, 2 the store could not tell, 64 usage.

mod address;
mod cli;
mod confirm;
mod error;
mod observe;
mod output;
mod pool;
mod store;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use jiff::Timestamp;

use cli::{Cli, Command, IpCommand, PoolCommand};
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
        Command::Pool(PoolCommand::Create(args)) => {
            let wanted = pool::wanted(args)?;
            pool::create(&store::open_or_make(&cli.store)?, &args.name, &wanted, out).await
        }
        Command::Pool(PoolCommand::List) => pool::list(&store()?, out).await,
        Command::Pool(PoolCommand::Show { name }) => pool::show(&store()?, name, out).await,
        Command::Pool(PoolCommand::Extend(args)) => pool::extend(&store()?, args, out).await,
        Command::Pool(PoolCommand::Resume { name }) => pool::resume(&store()?, name, out).await,
        Command::Pool(PoolCommand::Delete(args)) => pool::delete(&store()?, args, out).await,
        Command::Ip(IpCommand::List(args)) => address::list(&store()?, args, out).await,
        Command::Ip(IpCommand::Show { address }) => address::show(&store()?, *address, out).await,
        Command::Ip(IpCommand::Release(args)) | Command::Release(args) => {
            address::release(&store()?, args, now, out).await
        }
    }
}
