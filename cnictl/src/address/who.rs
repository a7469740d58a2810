//! `cnictl ip who`: who had an address at one moment, or that nothing tells.

use std::io::Write;
use std::net::IpAddr;

use berth_ipam::history::{History, Log, Span, Who};
use berth_store::Store;
use jiff::Timestamp;
use serde::Serialize;

use super::history::{SpanRow, changes, remembered};
use crate::error::{Ended, Failure};
use crate::observe::Snapshot;
use crate::output::Printer;

/// Who had an address at one moment. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WhoRow {
    /// The address.
    address: IpAddr,
    /// The moment.
    at: Timestamp,
    /// `held`, `free` or `unknown`.
    outcome: &'static str,
    /// Who held it; of an unknown moment, who may have.
    holder: Option<SpanRow>,
    /// Of a free moment: who held it last before.
    after: Option<SpanRow>,
    /// Of a free moment: who held it next.
    before: Option<SpanRow>,
    /// Of an unknown moment: from when on more is known.
    unknown_before: Option<Timestamp>,
}

/// A question about one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    /// Which address.
    pub(crate) address: IpAddr,
    /// When.
    pub(crate) at: Timestamp,
}

impl Question {
    /// About `at`, by default `now`.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a moment that is still to come.
    pub(super) fn new(
        address: IpAddr,
        at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let at = at.unwrap_or(now);
        if at > now {
            return Err(Failure::Usage {
                problem: format!("--at {at}: that is still to come"),
                hint: "give a moment in the past".into(),
            });
        }
        Ok(Self { address, at })
    }
}

/// `cnictl ip who`; `log` is the node's own, when that is to be heard as well.
pub(crate) async fn who(
    store: &impl Store,
    question: Question,
    log: Option<&Log>,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let Question { address, at } = question;
    let changes = log.map_or(Ok(Vec::new()), |log| changes(log, address))?;
    let seen = Snapshot::of_address(store, address).await?;
    let remembered = remembered(store, address).await?;
    // A pool that was deleted took its memory with it.
    let nothing = remembered.is_none() && seen.pool_around(address).is_none();
    let history = remembered.unwrap_or_default().with_changes(&changes);
    let who = history.at(at);
    let (row, sentence) = match (&who, nothing) {
        (Who::Free { .. }, true) => {
            let unknown = Who::Unknown {
                before: None,
                perhaps: None,
            };
            (
                row(question, &unknown),
                format!("unknown: {address} is in no pool, and no record of it is left"),
            )
        }
        _ => (row(question, &who), sentence(question, &history, &who)),
    };
    let told = row.outcome != "unknown";
    out.done(sentence, &row)?;
    Ok(if told {
        Ended::Clean
    } else {
        Ended::CouldNotTell
    })
}

fn row(question: Question, who: &Who<'_>) -> WhoRow {
    let Question { address, at } = question;
    let blank = WhoRow {
        address,
        at,
        outcome: "free",
        holder: None,
        after: None,
        before: None,
        unknown_before: None,
    };
    match who {
        Who::Held(span) => WhoRow {
            outcome: "held",
            holder: Some(SpanRow::from(*span)),
            ..blank
        },
        Who::Free { after, before } => WhoRow {
            after: after.map(SpanRow::from),
            before: before.map(SpanRow::from),
            ..blank
        },
        Who::Unknown { before, perhaps } => WhoRow {
            outcome: "unknown",
            holder: perhaps.map(SpanRow::from),
            unknown_before: *before,
            ..blank
        },
    }
}

fn sentence(question: Question, history: &History, who: &Who<'_>) -> String {
    let Question { address, at } = question;
    let line = |what: &str, span: Option<&Span>| Some(format!("{what}: {}", named(span?)));
    let lines: Vec<_> = match who {
        Who::Held(span) => vec![format!("{address} was held at {at} by {}", named(span))],
        Who::Free { .. } if history.spans.is_empty() => {
            vec![format!("nobody held {address} since its pool was made")]
        }
        Who::Free { after, before } => {
            // When its pool was made is not known: an earlier one may have given it.
            let bound = match after {
                Some(_) => "",
                None => ", as far back as its pool goes",
            };
            let first = format!("nobody held {address} at {at}{bound}");
            let more = [line("before", *after), line("next", *before)];
            [Some(first)].into_iter().chain(more).flatten().collect()
        }
        Who::Unknown { before, perhaps } => {
            let before = before.map_or_else(String::new, |time| format!(" before {time}"));
            let first = format!("unknown{before}: nothing remembers who held {address} at {at}");
            let more = line("perhaps", *perhaps);
            [Some(first), more].into_iter().flatten().collect()
        }
    };
    lines.join("\n")
}

/// The pod and its interface, from when until when.
fn named(span: &Span) -> String {
    let SpanRow {
        attachment,
        pod,
        since,
        until,
        end,
    } = SpanRow::from(span);
    let pod = pod.map_or_else(String::new, |pod| format!("pod {pod} as "));
    let end = match (until, end) {
        (Some(until), _) => format!("until {until}"),
        (None, "still") => "and still is".to_owned(),
        (None, _) => "until a time that is not known".to_owned(),
    };
    format!("{pod}{attachment}, from {since} {end}")
}
