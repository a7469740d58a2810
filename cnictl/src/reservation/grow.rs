//! `cnictl reserve create` and `extend`.

use std::io::Write;
use std::net::IpAddr;

use berth_ipam::reservations::{self, Order};
use berth_store::Store;
use berth_types::{AddressRange, PoolName};
use jiff::Timestamp;
use serde::Serialize;

use super::row::ranges;
use crate::error::{Ended, Failure};
use crate::output::{Printer, addresses};

/// What became of a reservation. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GrownRow {
    /// Which.
    reservation: String,
    /// `created`, `extended`, `would-create`, `would-extend` or `unchanged`.
    outcome: &'static str,
    /// The addresses that it got.
    added: Vec<IpAddr>,
}

/// Makes a reservation of `pool`, or without one adds to the reservation that there is.
pub(super) async fn grow(
    store: &impl Store,
    pool: Option<&PoolName>,
    order: &Order,
    now: Timestamp,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    if let Some(pool) = pool {
        let added = reservations::create(store, pool, order, now).await?;
        report("created", "created", order, added, out)
    } else {
        let added = reservations::extend(store, order, now).await?;
        report("extended", "extended", order, added, out)
    }
}

/// Says what [`grow`] would do.
pub(super) async fn preview(
    store: &impl Store,
    pool: Option<&PoolName>,
    order: &Order,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let view = reservations::look(store).await?;
    let (outcome, verb, planned) = if let Some(pool) = pool {
        let planned = reservations::plan_create(&view, pool, order)?;
        ("would-create", "would be created", planned)
    } else {
        let planned = reservations::plan_extend(&view, order)?;
        ("would-extend", "would be extended", planned)
    };
    let added = planned.add.into_iter().map(|a| a.address).collect();
    report(outcome, verb, order, added, out)
}

fn report(
    outcome: &'static str,
    verb: &str,
    order: &Order,
    mut added: Vec<IpAddr>,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let id = &order.id;
    added.sort_unstable();
    let (outcome, sentence) = if added.is_empty() {
        let sentence = format!("reservation {id} has these addresses already");
        ("unchanged", sentence)
    } else {
        let ranges: Vec<_> = ranges(&added).iter().map(AddressRange::to_string).collect();
        let count = addresses(u64::try_from(added.len()).unwrap_or(u64::MAX));
        let sentence = format!(
            "reservation {id} {verb} with {count}: {}",
            ranges.join(", ")
        );
        (outcome, sentence)
    };
    let row = GrownRow {
        reservation: id.to_string(),
        outcome,
        added,
    };
    out.done(sentence, &row)?;
    Ok(Ended::Clean)
}
