//! `cnictl pool`: every command reads, decides, and writes on what it read.

mod row;
mod subnets;
mod table;

use std::io::Write;

use berth_ipam::pools::{self, PoolError, StoredPool};
use berth_store::Store;
use berth_types::{PoolName, PoolRecord};
use serde::Serialize;

use crate::cli::{Consent, CreateArgs, DeleteArgs, ExtendArgs};
use crate::confirm::confirm;
use crate::error::{Ended, Failure};
use crate::observe::Snapshot;
use crate::output::Printer;

use row::PoolRow;
pub(crate) use row::unreadable;

/// The pool that `cnictl pool create` is asked for.
///
/// # Errors
/// [`Failure`] when there cannot be such a pool.
pub(crate) fn wanted(args: &CreateArgs) -> Result<PoolRecord, Failure> {
    let CreateArgs {
        name: _,
        subnets,
        block_size,
    } = args;
    let record = PoolRecord::new(subnets::assemble(subnets)?, *block_size);
    record.validate().map_err(PoolError::Invalid)?;
    Ok(record)
}

/// `cnictl pool create`
pub(crate) async fn create(
    store: &impl Store,
    name: &PoolName,
    wanted: &PoolRecord,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    pools::create(store, name, wanted).await?;
    let row = look(store, name).await?.1;
    out.done(format_args!("pool {name} created: {}", summary(&row)), &row)?;
    Ok(Ended::Clean)
}

/// `cnictl pool resume`
pub(crate) async fn resume(
    store: &impl Store,
    name: &PoolName,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    pools::resume(store, name).await?;
    let row = look(store, name).await?.1;
    out.done(format_args!("pool {name} is {}", row.state), &row)?;
    Ok(Ended::Clean)
}

/// `cnictl pool list`
pub(crate) async fn list(
    store: &impl Store,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let rows = row::rows(&Snapshot::read(store).await?);
    out.list(
        &rows,
        "there is no pool; make one with `cnictl pool create`",
    )?;
    remark_problems(&rows, out)
}

/// `cnictl pool show`
pub(crate) async fn show(
    store: &impl Store,
    name: &PoolName,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let (_, row) = look(store, name).await?;
    out.sheet(&row)?;
    remark_problems(&[row], out)
}

/// `cnictl pool extend`
pub(crate) async fn extend(
    store: &impl Store,
    args: &ExtendArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let ExtendArgs { name, subnets } = args;
    pools::extend(store, name, &subnets::assemble(subnets)?).await?;
    let row = look(store, name).await?.1;
    out.done(
        format_args!("pool {name} extended: {}", summary(&row)),
        &row,
    )?;
    Ok(Ended::Clean)
}

/// What became of a pool. Stable JSON.
#[derive(Debug, Serialize)]
struct DeletedRow {
    /// The pool.
    pool: String,
    /// `deleted` or `would-delete`.
    outcome: &'static str,
}

/// `cnictl pool delete`
pub(crate) async fn delete(
    store: &impl Store,
    args: &DeleteArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let DeleteArgs { name, consent } = args;
    let consent = consent.consent();
    let (pool, row) = look(store, name).await?;
    let pool = pool.map_err(PoolError::Record)?;
    pools::refuse_held(store, &pool).await?;
    let deleted = |outcome| DeletedRow {
        pool: name.to_string(),
        outcome,
    };
    match consent {
        Consent::DryRun => {
            let sentence = format!("pool {name} would be deleted: {}", summary(&row));
            out.done(sentence, &deleted("would-delete"))?;
            return Ok(Ended::Clean);
        }
        Consent::Ask => {
            out.preview(&[row])?;
            confirm(
                &format!("Delete pool {name} and the history of its addresses?"),
                out,
            )?;
        }
        Consent::Given => {}
    }
    pools::delete(store, &pool).await?;
    out.done(format_args!("pool {name} deleted"), &deleted("deleted"))?;
    Ok(Ended::Clean)
}

type Looked = (Result<StoredPool, berth_types::BadRecord>, PoolRow);

async fn look(store: &impl Store, name: &PoolName) -> Result<Looked, Failure> {
    let seen = Snapshot::read(store).await?;
    let found = seen
        .pool(name)
        .ok_or_else(|| PoolError::NoSuchPool(name.clone()))?;
    let stored = found.record.clone().map(|record| StoredPool {
        name: name.clone(),
        revision: found.revision,
        record,
    });
    Ok((stored, row::row(&seen, found)))
}

fn summary(row: &PoolRow) -> String {
    let cidrs: Vec<_> = row
        .subnets
        .iter()
        .map(|subnet| subnet.cidr.as_str())
        .collect();
    format!(
        "{} addresses in {}",
        row.size.unwrap_or_default(),
        cidrs.join(", ")
    )
}

fn remark_problems(
    rows: &[PoolRow],
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let mut ended = Ended::Clean;
    for problem in rows.iter().flat_map(PoolRow::problems) {
        out.remark(format_args!("warning: {problem}; left alone"))?;
        ended = Ended::Findings;
    }
    for row in rows
        .iter()
        .filter(|row| row.unreadable.is_some_and(|count| count > 0))
    {
        let (pool, count) = (&row.pool, row.unreadable.unwrap_or_default());
        out.remark(format_args!(
            "warning: pool {pool}: {count} addresses have records that cannot be read; \
             see `cnictl ip list`"
        ))?;
        ended = Ended::Findings;
    }
    Ok(ended)
}
