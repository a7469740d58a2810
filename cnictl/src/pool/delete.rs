//! `cnictl pool delete`: shows what goes, asks, and deletes only what was shown.

use std::io::Write;

use berth_ipam::pools::{self, Goes, PoolError};
use berth_store::Store;
use serde::Serialize;

use super::{look, summary};
use crate::cli::{Consent, DeleteArgs};
use crate::confirm::confirm;
use crate::error::{Ended, Failure};
use crate::output::{Printer, addresses};

/// What became of a pool. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletedRow {
    /// The pool.
    pool: String,
    /// `deleted` or `would-delete`.
    outcome: &'static str,
    /// How many addresses' last holders are forgotten with it.
    remembered: usize,
    /// The sticky reservations that go with it.
    reservations: Vec<String>,
}

/// `cnictl pool delete`
pub(super) async fn delete(
    store: &impl Store,
    args: &DeleteArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let DeleteArgs { name, consent } = args;
    let (pool, row) = look(store, name).await?;
    let pool = pool.map_err(PoolError::Record)?;
    let goes = pools::what_goes(store, &pool).await?;
    let with_it = with_it(&goes);
    let deleted = |outcome| DeletedRow {
        pool: name.to_string(),
        outcome,
        remembered: goes.remembered,
        reservations: goes.reservations.iter().map(ToString::to_string).collect(),
    };
    match consent.consent() {
        Consent::DryRun => {
            let summary = summary(&row);
            let sentence = format!("pool {name} would be deleted: {summary}{with_it}");
            out.done(sentence, &deleted("would-delete"))?;
            return Ok(Ended::Clean);
        }
        Consent::Ask => {
            out.preview(&[row])?;
            confirm(&format!("Delete pool {name}{with_it}?"), out)?;
        }
        Consent::Given => {}
    }
    pools::delete(store, &pool).await?;
    out.done(
        format_args!("pool {name} deleted{with_it}"),
        &deleted("deleted"),
    )?;
    Ok(Ended::Clean)
}

fn with_it(goes: &Goes) -> String {
    let Goes {
        remembered,
        reservations,
    } = goes;
    let remembered = u64::try_from(*remembered).unwrap_or(u64::MAX);
    let history = format!(", with the history of {}", addresses(remembered));
    match reservations.len() {
        0 => history,
        count => format!("{history} and {count} unused sticky reservation(s)"),
    }
}
