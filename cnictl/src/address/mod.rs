//! `cnictl ip` and `cnictl release`.

mod history;
mod release;
mod row;
mod state;
mod table;
mod who;

use std::io::Write;
use std::net::IpAddr;

use berth_ipam::history::Log;
use berth_ipam::pools::PoolError;
use berth_store::Store;
use jiff::Timestamp;

use crate::cli::{IpCommand, ListArgs, LogArgs, StoreArgs};
use crate::error::{Ended, Failure};
use crate::observe::Snapshot;
use crate::output::Printer;
use crate::store;

pub(crate) use release::release;
use row::AddressRow;
pub(crate) use row::HolderRow;
pub(crate) use state::State;
pub(crate) use table::pod_cell;

/// `cnictl ip`
pub(crate) async fn run(
    place: &StoreArgs,
    command: &IpCommand,
    now: Timestamp,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let open = || store::open(place);
    let log = |args: &LogArgs| args.node.then(|| Log::below(&args.state_dir));
    match command {
        IpCommand::List(args) => list(&open()?, args, out).await,
        IpCommand::Show { address } => show(&open()?, *address, out).await,
        IpCommand::History { address, log: args } => match log(args) {
            Some(log) => history::local(&log, *address, out),
            None => history::history(&open()?, *address, out).await,
        },
        IpCommand::Who {
            address,
            at,
            log: args,
        } => {
            let question = who::Question::new(*address, *at, now)?;
            who::who(&open()?, question, log(args).as_ref(), out).await
        }
        IpCommand::Release(args) => release(&open()?, args, now, out).await,
    }
}

async fn list(
    store: &impl Store,
    args: &ListArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let seen = Snapshot::read(store).await?;
    let rows: Vec<_> = row::rows(&seen)
        .into_iter()
        .filter(|row| is_listed(row, args))
        .collect();
    if let Some(pool) = &args.pool
        && rows.is_empty()
        && seen.pool(pool).is_none()
    {
        return Err(PoolError::NoSuchPool(pool.clone()).into());
    }
    let filtered = args.pool.is_some() || args.node.is_some() || args.namespace.is_some();
    out.list(
        &rows,
        if filtered {
            "no held address matches"
        } else {
            "no address is held"
        },
    )?;
    let mut ended = Ended::Clean;
    for row in &rows {
        if remark_problem(row, out)? == Ended::Findings {
            ended = Ended::Findings;
        }
    }
    Ok(ended)
}

/// What cannot be read may be anybody's, so it is only left out when it is another pool's.
fn is_listed(row: &AddressRow, args: &ListArgs) -> bool {
    let ListArgs {
        pool,
        node,
        namespace,
        all,
    } = args;
    let unreadable = row.problem.is_some();
    let of_pool = match (pool, &row.pool) {
        (None, _) => true,
        (Some(wanted), Some(pool)) => pool == wanted.as_str(),
        (Some(_), None) => unreadable,
    };
    let matches = row.holder.as_ref().map_or(*all, |holder| {
        let pod = holder.pod.as_ref();
        node.as_ref()
            .is_none_or(|node| holder.node == node.as_str())
            && namespace
                .as_ref()
                .is_none_or(|ns| pod.is_some_and(|pod| pod.namespace == *ns))
    });
    of_pool && (unreadable || matches)
}

async fn show(
    store: &impl Store,
    address: IpAddr,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let row = row::row(&Snapshot::of_address(store, address).await?, address);
    out.sheet(&row)?;
    Ok(match row.state {
        State::Malformed | State::Newer => Ended::Findings,
        _ => Ended::Clean,
    })
}

fn remark_problem(
    row: &AddressRow,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let Some(problem) = &row.problem else {
        return Ok(Ended::Clean);
    };
    out.remark(format_args!("warning: {problem}; left alone"))?;
    Ok(Ended::Findings)
}
