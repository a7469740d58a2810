//! `cnictl pool`: every command reads, decides, and writes on what it read.

mod change;
mod delete;
mod diff;
mod row;
mod subnets;
mod table;

use std::io::Write;

use berth_ipam::pools::{self, Change, PoolError, StoredPool};
use berth_store::Store;
use berth_types::{BadRecord, BlockSize, PoolName, PoolRecord};

use crate::cli::{CreateArgs, PoolCommand, StoreArgs};
use crate::error::{Ended, Failure};
use crate::observe::Snapshot;
use crate::output::{Printer, addresses};
use crate::store;

use row::PoolRow;
pub(crate) use row::unreadable;

/// `cnictl pool`
pub(crate) async fn run(
    place: &StoreArgs,
    command: &PoolCommand,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let open = || store::open(place);
    match command {
        PoolCommand::Create(args) => {
            let wanted = wanted(args)?;
            create(&store::open_or_make(place)?, &args.name, &wanted, out).await
        }
        PoolCommand::List => list(&open()?, out).await,
        PoolCommand::Show { name } => show(&open()?, name, out).await,
        PoolCommand::Extend(args) => {
            let wanted = change::Wanted {
                name: &args.name,
                change: Change::Extend(subnets::assemble(&args.subnets)?),
                dry_run: args.dry_run,
            };
            change::extend(&open()?, wanted, out).await
        }
        PoolCommand::Exclude(args) => {
            let exclude = Change::Exclude(args.ranges.clone());
            change::exclude(&open()?, args, exclude, out).await
        }
        PoolCommand::Include(args) => {
            let include = Change::Include(args.ranges.clone());
            change::exclude(&open()?, args, include, out).await
        }
        PoolCommand::Set(args) => change::set(&open()?, args, out).await,
        PoolCommand::Drain(args) => change::state(&open()?, args, Change::Drain, out).await,
        PoolCommand::Resume(args) => change::state(&open()?, args, Change::Resume, out).await,
        PoolCommand::Delete(args) => delete::delete(&open()?, args, out).await,
    }
}

/// The pool that `cnictl pool create` is asked for.
fn wanted(args: &CreateArgs) -> Result<PoolRecord, Failure> {
    let CreateArgs {
        name: _,
        subnets,
        settings,
    } = args;
    let plain = PoolRecord::new(subnets::assemble(subnets)?, BlockSize::default());
    let settings = Change::Set(change::settings(settings));
    Ok(settings.apply(&plain).map_err(PoolError::Invalid)?)
}

async fn create(
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

async fn list(
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

async fn show(
    store: &impl Store,
    name: &PoolName,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let (_, row) = look(store, name).await?;
    out.sheet(&row)?;
    remark_problems(&[row], out)
}

type Looked = (Result<StoredPool, BadRecord>, PoolRow);

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
        "{} in {}",
        addresses(row.size.unwrap_or_default()),
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
