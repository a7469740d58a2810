//! `cnictl reserve`.

mod grow;
mod row;
mod table;

use std::io::Write;

use berth_ipam::pools::PoolError;
use berth_ipam::reservations::{self, IfHeld, Order, ReserveError, View};
use berth_store::Store;
use berth_types::{PoolName, ReservationId};
use jiff::Timestamp;

use crate::cli::{Consent, GrowArgs, ReserveCommand, WhichArgs};
use crate::confirm::confirm;
use crate::error::{Ended, Failure};
use crate::output::{Printer, addresses};

use row::{DeletedRow, ReservationRow};

/// `cnictl reserve`
pub(crate) async fn run(
    store: &impl Store,
    command: &ReserveCommand,
    now: Timestamp,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let (pool, id, wanted) = match command {
        ReserveCommand::Create {
            id,
            pool,
            addresses,
        } => (Some(pool), id, addresses),
        ReserveCommand::Extend { id, addresses } => (None, id, addresses),
        ReserveCommand::List { pool, namespace } => {
            return list(store, pool.as_ref(), namespace.as_deref(), out).await;
        }
        ReserveCommand::Show { id } => return show(store, id, out).await,
        ReserveCommand::Delete(args) => return delete(store, args, out).await,
    };
    let order = order(id, wanted);
    if wanted.dry_run {
        grow::preview(store, pool, &order, out).await
    } else {
        grow::grow(store, pool, &order, now, out).await
    }
}

fn order(id: &ReservationId, args: &GrowArgs) -> Order {
    let GrowArgs {
        count,
        addresses,
        held,
        dry_run: _,
    } = args;
    let these = reservations::Ask::These(addresses.iter().copied().collect());
    Order {
        id: id.clone(),
        ask: count.map_or(these, reservations::Ask::Each),
        if_held: if_held(*held),
    }
}

const fn if_held(held: bool) -> IfHeld {
    if held { IfHeld::Allow } else { IfHeld::Refuse }
}

async fn list(
    store: &impl Store,
    pool: Option<&PoolName>,
    namespace: Option<&str>,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let view = reservations::look(store).await?;
    if let Some(pool) = pool.filter(|pool| !view.pools.contains_key(*pool)) {
        return Err(PoolError::NoSuchPool(pool.clone()).into());
    }
    let listed = |row: &ReservationRow| {
        let of_pool = |pool: &PoolName| row.pool.as_deref().is_none_or(|p| p == pool.as_str());
        pool.is_none_or(of_pool) && namespace.is_none_or(|ns| row.namespace == ns)
    };
    let rows: Vec<_> = row::rows(&view).into_iter().filter(listed).collect();
    let empty = if pool.is_some() || namespace.is_some() {
        "no reservation matches"
    } else {
        "there is no reservation; make one with `cnictl reserve create`"
    };
    out.list(&rows, empty)?;
    remark_problems(&rows, &view, out)
}

fn remark_problems(
    rows: &[ReservationRow],
    view: &View,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let mut problems: Vec<_> = rows.iter().filter_map(|row| row.problem.clone()).collect();
    let foreign = view.foreign.iter();
    problems.extend(foreign.map(|key| format!("{key}: the key spells no reservation")));
    for problem in &problems {
        out.remark(format_args!("warning: {problem}; left alone"))?;
    }
    let mut stale = 0_usize;
    for (address, id) in view.stale_marks() {
        out.remark(format_args!(
            "warning: {address} is marked for {id}, which does not list it; \
             `cnictl reserve delete {id}` takes the mark off"
        ))?;
        stale += 1;
    }
    Ok(if problems.is_empty() && stale == 0 {
        Ended::Clean
    } else {
        Ended::Findings
    })
}

async fn show(
    store: &impl Store,
    id: &ReservationId,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let view = reservations::look(store).await?;
    let seen = view.reservations.get(id);
    let seen = seen.ok_or_else(|| ReserveError::NoSuchReservation(id.clone()))?;
    let row = row::row(&view, id, seen);
    out.sheet(&row)?;
    if let Some(problem) = &row.problem {
        out.remark(format_args!("warning: {problem}; left alone"))?;
        return Ok(Ended::Findings);
    }
    Ok(Ended::Clean)
}

async fn delete(
    store: &impl Store,
    args: &WhichArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let WhichArgs { id, held, consent } = args;
    let view = reservations::look(store).await?;
    let removal = reservations::plan_delete(&view, id, if_held(*held))?;
    let rows = row::removed(&view, &removal);
    let count = addresses(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    let deleted = |outcome| DeletedRow {
        reservation: id.to_string(),
        outcome,
        addresses: rows.clone(),
    };
    match consent.consent() {
        Consent::DryRun => {
            let sentence = format!("reservation {id} would be deleted, and let go of:\n");
            let sentence = sentence + crate::output::text(&rows).trim_end();
            out.done(sentence, &deleted("would-delete"))?;
            return Ok(Ended::Clean);
        }
        Consent::Ask => {
            out.preview(&rows)?;
            confirm(
                &format!("Delete reservation {id} and let go of {count}?"),
                out,
            )?;
        }
        Consent::Given => {}
    }
    removal.commit(store).await?;
    let sentence = format!("reservation {id} deleted, which had {count}");
    out.done(sentence, &deleted("deleted"))?;
    Ok(Ended::Clean)
}
