//! `cnictl`: the operator's hand on Berth.
//!
//! Exit codes: 0 done, 1 findings or a refusal, 2 could not tell, 64 usage.

mod address;
mod cli;
mod conf;
mod confirm;
mod doctor;
mod error;
mod explain;
mod node;
mod observe;
mod output;
mod pool;
mod reservation;
mod store;
mod store_admin;
mod top;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use jiff::Timestamp;

use cli::{Cli, Command, NodeCommand, StoreCommand};
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
        Command::Explain(args) => explain::run(args, out).await,
        Command::Doctor(args) => doctor::run(args, out),
        Command::Top(args) => top::run(args, cli.output, out).await,
        Command::Node(command) => run_node(cli, command, now, out).await,
        Command::StoreAdmin(StoreCommand::Status) => store_admin::status(&store()?, out).await,
        Command::StoreAdmin(StoreCommand::Close { reason }) => {
            store_admin::close(&store()?, reason, now, out).await
        }
        Command::StoreAdmin(StoreCommand::Open(consent)) => {
            store_admin::open(&store()?, consent, out).await
        }
    }
}

async fn run_node(
    cli: &Cli,
    command: &NodeCommand,
    now: Timestamp,
    out: &mut Printer<impl io::Write, impl io::Write>,
) -> Result<Ended, Failure> {
    let store = store::open(&cli.store)?;
    match command {
        NodeCommand::List => node::list(&store, out).await,
        NodeCommand::Show { name } => node::show(&store, name, out).await,
        NodeCommand::Dead(args) => node::dead(&store, args, out).await,
        NodeCommand::Adopt(args) => node::adopt(&store, args, out).await,
        NodeCommand::Republish(args) => {
            node::republish(store, &store::choose(&cli.store)?, args, now, out).await
        }
    }
}
