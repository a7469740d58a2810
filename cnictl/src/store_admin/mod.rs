//! `cnictl store`: closing a store that was set back, and opening it again.

mod status;

use std::io::Write;

use berth_ipam::closure::{self, Closing, Notice, View};
use berth_store::Store;
use berth_types::ClosedRecord;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::{Consent, ConsentArgs};
use crate::confirm::confirm;
use crate::error::{Ended, Failure};
use crate::node::random;
use crate::output::Printer;
use status::StatusSheet;

/// What was done about the store. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    /// `closed`, `already-closed`, `opened` or `would-open`.
    outcome: &'static str,
    /// The closure's id.
    closure: String,
    /// Why it was closed.
    reason: String,
    /// The store's revision that did it; null where nothing was done.
    revision: Option<u64>,
}

impl Done {
    fn of(outcome: &'static str, closed: &ClosedRecord, revision: Option<u64>) -> Self {
        Self {
            outcome,
            closure: closed.id.to_string(),
            reason: closed.reason.clone(),
            revision,
        }
    }
}

/// `cnictl store status`
pub(crate) async fn status(
    store: &impl Store,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let view = closure::look(store).await?;
    out.sheet(&StatusSheet::of(&view, &store.lineage()))?;
    Ok(match view.closed {
        None => Ended::Clean,
        Some(_) => Ended::Findings,
    })
}

/// `cnictl store close`
pub(crate) async fn close(
    store: &impl Store,
    reason: &str,
    now: Timestamp,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::Usage {
            problem: "--reason is empty".to_owned(),
            hint: "say why: every ADD that is refused repeats it".to_owned(),
        });
    }
    let notice = Notice {
        reason: reason.trim().to_owned(),
        noticed_by: None,
    };
    match closure::close(store, &notice, random()?, now).await? {
        Closing::Closed(at, closed) => {
            let done = Done::of("closed", &closed, Some(at.0));
            out.done("the store is closed: no node allocates", &done)?;
        }
        Closing::Standing(at, closed) => {
            let done = Done::of("already-closed", &closed, Some(at.0));
            let since = closed.since;
            let sentence = format!("the store is closed since {since}: {}", closed.reason);
            out.done(sentence, &done)?;
        }
    }
    Ok(Ended::Clean)
}

/// `cnictl store open`
pub(crate) async fn open(
    store: &impl Store,
    consent: &ConsentArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let view = closure::look(store).await?;
    let opening = closure::opening(&view)?;
    warn(&view, out)?;
    match consent.consent() {
        Consent::DryRun => {
            let done = Done::of("would-open", &opening.closed, None);
            out.done("the store would be opened", &done)?;
            return Ok(Ended::Clean);
        }
        Consent::Ask => confirm("Is none missing? Then let nodes allocate again.", out)?,
        Consent::Given => {}
    }
    let revision = opening.commit(store).await?;
    let done = Done::of("opened", &opening.closed, Some(revision.0));
    out.done("the store is open: nodes allocate again", &done)?;
    Ok(Ended::Clean)
}

/// What the store cannot know.
fn warn(view: &View, out: &mut Printer<impl Write, impl Write>) -> Result<(), Failure> {
    out.remark(format_args!(
        "These {} nodes have answered. A node that joined after the backup was made is unknown to \
         the store, and so are its containers' addresses:",
        view.nodes.len()
    ))?;
    for name in view.nodes.keys() {
        out.remark(format_args!("  {name}"))?;
    }
    out.remark(
        "Compare this list with `kubectl get nodes` and your inventory, and run `cnictl node \
         republish` on every node that it lacks. Compare `cnictl pool list` and reservations with \
         your own notes: what was made after the backup is gone.",
    )?;
    Ok(())
}
