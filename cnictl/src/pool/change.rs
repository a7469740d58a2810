//! Changing a pool: says what it changes, or would change.

use std::io::Write;

use berth_ipam::pools::{self, Change, Changed, Settings};
use berth_store::Store;
use berth_types::{AddressRange, PoolName};
use serde::Serialize;

use super::diff::{DiffRow, diff};
use super::row::PoolRow;
use super::{look, summary};
use crate::cli::{ExcludeArgs, SetArgs, SettingsArgs, StateArgs};
use crate::error::{Ended, Failure};
use crate::observe::Snapshot;
use crate::output::{Printer, text};

/// A change that is asked for.
pub(super) struct Wanted<'a> {
    pub(super) name: &'a PoolName,
    pub(super) change: Change,
    pub(super) dry_run: bool,
}

/// How a change that was made is told to people. One that would be made is told by its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// The sentence says it all.
    Sentence,
    /// Below the sentence, what each field was and is.
    Fields,
}

/// A pool, and what was changed of it. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangedRow {
    /// `changed`, `would-change` or `unchanged`.
    outcome: &'static str,
    /// The fields that differ.
    changes: Vec<DiffRow>,
    /// The pool as it is in the store.
    #[serde(flatten)]
    pool: PoolRow,
}

/// `cnictl pool extend`
pub(super) async fn extend(
    store: &impl Store,
    wanted: Wanted<'_>,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let name = wanted.name;
    let done = |row: &PoolRow| format!("pool {name} extended: {}", summary(row));
    report(store, &wanted, Telling::Sentence, done, out).await
}

/// `cnictl pool exclude` and `include`
pub(super) async fn exclude(
    store: &impl Store,
    args: &ExcludeArgs,
    change: Change,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let ExcludeArgs {
        name,
        ranges,
        dry_run,
    } = args;
    let excludes = matches!(change, Change::Exclude(_));
    let wanted = Wanted {
        name,
        change,
        dry_run: *dry_run,
    };
    let done = |row: &PoolRow| format!("pool {name} changed: {}", summary(row));
    let ended = report(store, &wanted, Telling::Fields, done, out).await?;
    if excludes {
        remark_users(store, ranges, out).await?;
    }
    Ok(ended)
}

/// `cnictl pool set`
pub(super) async fn set(
    store: &impl Store,
    args: &SetArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let SetArgs {
        name,
        settings: given,
        dry_run,
    } = args;
    let settings = settings(given);
    if settings == Settings::default() {
        return Err(Failure::Usage {
            problem: format!("pool {name}: nothing to set"),
            hint: "give --namespaces, --nodes, --sticky, --sticky-for, --cooldown or --block-size"
                .into(),
        });
    }
    let wanted = Wanted {
        name,
        change: Change::Set(settings),
        dry_run: *dry_run,
    };
    let done = |_: &PoolRow| format!("pool {name} changed");
    report(store, &wanted, Telling::Fields, done, out).await
}

/// `cnictl pool drain` and `resume`
pub(super) async fn state(
    store: &impl Store,
    args: &StateArgs,
    change: Change,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let StateArgs { name, dry_run } = args;
    let wanted = Wanted {
        name,
        change,
        dry_run: *dry_run,
    };
    let done = |row: &PoolRow| {
        let held = row.held.unwrap_or_default();
        format!("pool {name} is {}; held addresses: {held}", row.state)
    };
    report(store, &wanted, Telling::Sentence, done, out).await
}

/// What the options ask for.
pub(super) fn settings(args: &SettingsArgs) -> Settings {
    let SettingsArgs {
        block_size,
        namespaces,
        nodes,
        sticky,
        sticky_for,
        cooldown,
    } = args.clone();
    Settings {
        block_size,
        namespaces: namespaces.map(|patterns| patterns.0),
        nodes: nodes.map(|patterns| patterns.0),
        sticky,
        sticky_for_s: sticky_for,
        cooldown_s: cooldown,
    }
}

/// Makes the change, or previews it, and says so; `done` is the sentence for a change that was
/// made.
async fn report(
    store: &impl Store,
    wanted: &Wanted<'_>,
    telling: Telling,
    done: impl FnOnce(&PoolRow) -> String,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let Wanted {
        name,
        change,
        dry_run,
    } = wanted;
    let Changed {
        before,
        after,
        revision: _,
    } = if *dry_run {
        pools::preview(store, name, change).await?
    } else {
        pools::change(store, name, change).await?
    };
    let changes = diff(&before, &after);
    let pool = look(store, name).await?.1;
    let (outcome, sentence) = match (changes.is_empty(), dry_run) {
        (true, _) => ("unchanged", format!("pool {name} is like that already")),
        (false, true) => ("would-change", format!("pool {name} would be changed")),
        (false, false) => ("changed", done(&pool)),
    };
    let shown = if changes.is_empty() || (telling == Telling::Sentence && !dry_run) {
        sentence
    } else {
        format!("{sentence}\n{}", text(&changes).trim_end())
    };
    let row = ChangedRow {
        outcome,
        changes,
        pool,
    };
    out.done(shown, &row)?;
    Ok(Ended::Clean)
}

/// Names those who use what is excluded: they are not disturbed.
async fn remark_users(
    store: &impl Store,
    ranges: &[AddressRange],
    out: &mut Printer<impl Write, impl Write>,
) -> Result<(), Failure> {
    let seen = Snapshot::read(store).await?;
    for found in &seen.addresses {
        let (Some(address), Ok(record)) = (found.address(), &found.record) else {
            continue;
        };
        if !ranges.iter().any(|range| range.contains(address)) {
            continue;
        }
        if let Some(holder) = &record.holder {
            let attachment = &holder.attachment;
            out.remark(format_args!(
                "note: {address} is held by {attachment}, which keeps it until it is released"
            ))?;
        }
        if let Some(id) = &record.reserved_for {
            out.remark(format_args!(
                "note: {address} is reserved for {id}, which cannot be given it while it is excluded"
            ))?;
        }
    }
    Ok(())
}
