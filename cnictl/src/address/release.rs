//! `cnictl release`: shows who holds what, asks, and releases only what was shown.

use std::io::Write;
use std::net::IpAddr;
use std::path::Path;

use berth_ipam::NodeIdentity;
use berth_ipam::history::Log;
use berth_ipam::operator::{self, Committed, Held, Plan, Release, Untouched};
use berth_store::{Revision, Store, StoreError};
use berth_types::BadRecord;
use jiff::Timestamp;
use serde::Serialize;

use super::row::HolderRow;
use super::table::pod_cell;
use crate::cli::{Consent, ReleaseArgs};
use crate::confirm::confirm;
use crate::error::{Ended, Failure};
use crate::output::{Cell, Heading, Printer, Row, cell};

/// What became of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// It was released.
    Released,
    /// It would be.
    WouldRelease,
    /// Nobody holds it.
    AlreadyFree,
    /// Nobody ever held it.
    NeverHeld,
    /// It or its holder's attachment changed since it was looked at; nothing was done.
    Changed,
    /// The store did not say whether it was released.
    Unknown,
    /// It was not tried, because the store had gone away.
    NotTried,
    /// A record is not one; left alone.
    Malformed,
    /// A record was written by a later release; left alone.
    Newer,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::WouldRelease => "would-release",
            Self::AlreadyFree => "already-free",
            Self::NeverHeld => "never-held",
            Self::Changed => "changed",
            Self::Unknown => "unknown",
            Self::NotTried => "not-tried",
            Self::Malformed => "malformed",
            Self::Newer => "newer",
        }
    }

    const fn is_fine(self) -> bool {
        matches!(
            self,
            Self::Released | Self::WouldRelease | Self::AlreadyFree | Self::NeverHeld
        )
    }
}

/// An address that was to be released. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReleaseRow {
    /// The address.
    address: IpAddr,
    /// What became of it.
    outcome: Outcome,
    /// Who held it when it was looked at.
    holder: Option<HolderRow>,
    /// The store's revision that released it, or else the one that was looked at.
    revision: Option<u64>,
    /// Why it was left alone.
    problem: Option<String>,
}

/// `cnictl release`
pub(crate) async fn release(
    store: &impl Store,
    args: &ReleaseArgs,
    now: Timestamp,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let ReleaseArgs {
        addresses,
        state_dir,
        consent,
    } = args;
    let wanted = addresses.iter().copied().collect();
    let plan = operator::plan(&operator::look(store, &wanted).await?);
    let consent = consent.consent();
    if consent == Consent::DryRun {
        return report(&rows(&plan, |_| (Outcome::WouldRelease, None)), out);
    }
    if consent == Consent::Ask && !plan.releases.is_empty() {
        let planned = rows(&plan, |_| (Outcome::WouldRelease, None));
        out.preview(&planned)?;
        let held = plan
            .releases
            .iter()
            .map(|release| release.addresses.len())
            .sum::<usize>();
        confirm(&question(held), out)?;
    }
    let mut ended = Vec::new();
    let mut lost = None;
    for release in &plan.releases {
        ended.push(match lost {
            None => {
                let ending = commit(store, release, now, &mut lost).await;
                write_down(release, ending, state_dir, now);
                ending
            }
            Some(_) => (Outcome::NotTried, None),
        });
    }
    let outcome = |n: usize| ended.get(n).copied().unwrap_or((Outcome::NotTried, None));
    let reported = report(&rows(&plan, outcome), out)?;
    lost.map_or(Ok(reported), |error| Err(error.into()))
}

fn question(count: usize) -> String {
    let what = if count == 1 {
        "this address".to_owned()
    } else {
        format!("these {count} addresses")
    };
    format!("Take {what} away? A container that still runs keeps using it unrecorded.")
}

type Ending = (Outcome, Option<u64>);

async fn commit(
    store: &impl Store,
    release: &Release,
    now: Timestamp,
    lost: &mut Option<StoreError>,
) -> Ending {
    match release.commit(store, now).await {
        Ok(Committed::Released(revision)) => (Outcome::Released, Some(revision.0)),
        Ok(Committed::Changed) => (Outcome::Changed, None),
        Err(error) => {
            let unknown = matches!(error, StoreError::OutcomeUnknown { .. });
            *lost = Some(error);
            (
                if unknown {
                    Outcome::Unknown
                } else {
                    Outcome::NotTried
                },
                None,
            )
        }
    }
}

/// Tells the log of the node that held the addresses, when this is that node.
fn write_down(release: &Release, (_, revision): Ending, state: &Path, now: Timestamp) {
    let Some(revision) = revision.map(Revision) else {
        return;
    };
    let here = NodeIdentity::id_in(state);
    if here.is_some() && release.made_by() == here.as_ref() {
        let log = Log::below(state);
        release
            .changes(revision, now)
            .for_each(|change| log.append(&change));
    }
}

/// One row per address, in order; `outcome` says how the `n`-th release ended.
fn rows(plan: &Plan, outcome: impl Fn(usize) -> Ending) -> Vec<ReleaseRow> {
    let mut rows: Vec<_> = plan
        .untouched
        .iter()
        .map(|(address, why)| untouched(*address, why))
        .collect();
    for (n, release) in plan.releases.iter().enumerate() {
        rows.extend(
            release
                .addresses
                .iter()
                .map(|held| held_row(held, outcome(n))),
        );
    }
    rows.sort_by_key(|row| row.address);
    rows
}

fn held_row(held: &Held, (outcome, revision): Ending) -> ReleaseRow {
    let changed = "changed since it was looked at, nothing was released";
    ReleaseRow {
        address: held.address,
        outcome,
        holder: Some(HolderRow::from(&held.holder)),
        revision: revision.or(Some(held.revision.0)),
        problem: (outcome == Outcome::Changed).then(|| format!("{} {changed}", held.address)),
    }
}

fn untouched(address: IpAddr, why: &Untouched) -> ReleaseRow {
    let (outcome, revision, problem) = match why {
        Untouched::NeverHeld => (Outcome::NeverHeld, None, None),
        Untouched::Free { revision, .. } => (Outcome::AlreadyFree, Some(revision.0), None),
        Untouched::Unreadable(bad @ BadRecord::Newer { .. }) => {
            (Outcome::Newer, None, Some(bad.to_string()))
        }
        Untouched::Unreadable(bad) => (Outcome::Malformed, None, Some(bad.to_string())),
    };
    ReleaseRow {
        address,
        outcome,
        holder: None,
        revision,
        problem,
    }
}

fn report(
    rows: &[ReleaseRow],
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    out.list(rows, "nothing to release")?;
    for problem in rows.iter().filter_map(|row| row.problem.as_ref()) {
        out.remark(format_args!(
            "error: {problem}\n  hint: look with `cnictl ip show`"
        ))?;
    }
    let fine = rows.iter().all(|row| row.outcome.is_fine());
    Ok(if fine { Ended::Clean } else { Ended::Findings })
}

impl Row for ReleaseRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("ADDRESS"),
        Heading::Text("OUTCOME"),
        Heading::Text("POD"),
        Heading::Text("HOLDER"),
        Heading::Text("SINCE (UTC)"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            address,
            outcome,
            holder,
            revision: _,
            problem: _,
        } = self;
        let holder = holder.as_ref();
        vec![
            Cell::show(address),
            cell(outcome.word()),
            pod_cell(holder.and_then(|holder| holder.pod.as_ref())),
            cell(holder.map(|holder| holder.attachment.as_str())),
            cell(holder.map(|holder| holder.since)),
        ]
    }
}
