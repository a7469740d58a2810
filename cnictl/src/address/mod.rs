//! `cnictl ip` and `cnictl release`.

mod release;
mod row;
mod state;
mod table;

use std::io::Write;
use std::net::IpAddr;

use berth_ipam::pools::PoolError;
use berth_store::Store;

use crate::cli::ListArgs;
use crate::error::{Ended, Failure};
use crate::observe::Snapshot;
use crate::output::Printer;

pub(crate) use release::release;
use row::AddressRow;
pub(crate) use row::HolderRow;
pub(crate) use state::State;
pub(crate) use table::pod_cell;

/// `cnictl ip list`
pub(crate) async fn list(
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

/// `cnictl ip show`
pub(crate) async fn show(
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
