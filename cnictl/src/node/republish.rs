//! `cnictl node republish`.

use std::collections::BTreeSet;
use std::io::Write;

use berth_ipam::Ipam;
use berth_ipam::republish::{
    Conflict, Obstacle, OnConflict, Proof, Report, Scope, Stale, Unfinished,
};
use berth_store::{AnyStore, StoreConfig};
use jiff::Timestamp;
use serde::Serialize;

use super::here;
use crate::cli::RepublishArgs;
use crate::error::{Ended, Failure};
use crate::output::{Cell, Heading, Printer, Row, Sheet, cell, fields, sheet};

/// What became of a node's attachments. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportSheet {
    /// The node.
    node: String,
    /// The closure that was answered; null when the store is open and nothing was done.
    closure: Option<String>,
    /// Whether the node has answered it.
    answered: bool,
    /// Every attachment that was looked at.
    attachments: Vec<AttachmentRow>,
}

/// One attachment, or one file that stands for it. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentRow {
    /// The attachment, or the file.
    attachment: String,
    /// `written`, `standing` (the store had it), `conflict`, `gone` (its container's end was
    /// missed), `stale` (the store has it, the node does not), `unfinished`, `unreadable`.
    outcome: &'static str,
    /// What there is to know and to do about it.
    remark: String,
}

/// `cnictl node republish`
pub(crate) async fn republish(
    store: AnyStore,
    config: &StoreConfig,
    args: &RepublishArgs,
    now: Timestamp,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let RepublishArgs {
        here,
        run_dir,
        networks,
        leave_conflicts,
    } = args;
    let identity = here::identity(here)?;
    let node = identity.name.to_string();
    let ipam = Ipam::new(store, config, identity, &here.state_dir);
    let networks: BTreeSet<_> = networks.iter().cloned().collect();
    let scope = Scope {
        run_dir,
        networks: &networks,
        on_conflict: if *leave_conflicts {
            OnConflict::Leave
        } else {
            OnConflict::Stay
        },
    };
    let report = ipam.republish(&scope, now).await?;
    if report.closure.is_none() {
        out.remark("the store is not closed: there is nothing to republish")?;
    }
    let open = report.closure.is_none();
    let conflicts = !report.conflicts.is_empty();
    let sheet = ReportSheet::of(node, &report);
    out.sheet(&sheet)?;
    let fine = open || (sheet.answered && !conflicts);
    Ok(if fine { Ended::Clean } else { Ended::Findings })
}

impl ReportSheet {
    fn of(node: String, report: &Report) -> Self {
        let Report {
            closure,
            written,
            standing,
            conflicts,
            gone,
            stale,
            unfinished,
            unreadable,
            answered,
        } = report;
        let row = |attachment: String, outcome, remark: &str| AttachmentRow {
            attachment,
            outcome,
            remark: remark.to_owned(),
        };
        let plain = |ids: &BTreeSet<_>, outcome, remark: &'static str| {
            let rows = ids
                .iter()
                .map(|id| row(ToString::to_string(id), outcome, remark));
            rows.collect::<Vec<_>>()
        };
        let mut attachments = plain(written, "written", "");
        attachments.extend(plain(standing, "standing", ""));
        attachments.extend(plain(
            gone,
            "gone",
            "its namespace is gone; the runtime's DEL forgets it",
        ));
        attachments.extend(conflicts.iter().map(conflict));
        attachments.extend(stale.iter().map(stale_row));
        attachments.extend(unfinished.iter().map(unfinished_row));
        let said = "the node cannot tell what lives there; repair or remove the file";
        attachments.extend(
            unreadable
                .iter()
                .map(|why| row(why.clone(), "unreadable", said)),
        );
        Self {
            node,
            closure: closure.as_ref().map(ToString::to_string),
            answered: *answered,
            attachments,
        }
    }
}

fn conflict(conflict: &Conflict) -> AttachmentRow {
    let Conflict {
        attachment,
        address,
        obstacle,
    } = conflict;
    let remark = match obstacle {
        Obstacle::Held(holder) => format!(
            "{address} is held by {} since {}: republish node {} first; if it says that is gone, `cnictl release {address}`, then run this again",
            holder.attachment, holder.since, holder.attachment.node,
        ),
        Obstacle::NoPool(pool) => format!(
            "{address} is of pool {pool}, which the store has lost: make it with `cnictl pool create`, then run this again"
        ),
        Obstacle::NotInPool(pool) => format!(
            "{address} is in no subnet of pool {pool}: add it with `cnictl pool extend`, then run this again"
        ),
        Obstacle::Unreadable(bad) => format!("{address}: {bad}: look at that record"),
    };
    AttachmentRow {
        attachment: attachment.to_string(),
        outcome: "conflict",
        remark,
    }
}

fn stale_row(stale: &Stale) -> AttachmentRow {
    let Stale {
        attachment,
        addresses,
        proof,
    } = stale;
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let addresses = addresses.join(" ");
    let remark = match proof {
        Proof::Gone => format!("{addresses}: its namespace is gone; upkeep gives it back"),
        Proof::None => {
            format!("{addresses}: no complete interface is known here, yet its namespace may exist")
        }
    };
    AttachmentRow {
        attachment: attachment.to_string(),
        outcome: "stale",
        remark,
    }
}

fn unfinished_row(unfinished: &Unfinished) -> AttachmentRow {
    let (attachment, remark) = match unfinished {
        Unfinished::AtWork(path) => (
            path.display().to_string(),
            "a call works on it for more than 20 s: see what it waits for, then run this again",
        ),
        Unfinished::Killed(id) => (
            id.to_string(),
            "its ADD was killed, and its interface may have an address: have the runtime remove the sandbox, then run this again",
        ),
    };
    AttachmentRow {
        attachment,
        outcome: "unfinished",
        remark: remark.to_owned(),
    }
}

impl Sheet for ReportSheet {
    fn text(&self) -> String {
        let Self {
            node,
            closure,
            answered,
            attachments,
        } = self;
        let head = fields(&[
            ("Node", cell(node.as_str())),
            ("Closure", cell(closure.as_deref())),
            ("Answered", cell(if *answered { "yes" } else { "no" })),
        ]);
        head + &sheet(attachments)
    }
}

impl Row for AttachmentRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("ATTACHMENT"),
        Heading::Text("OUTCOME"),
        Heading::Text("REMARK"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            attachment,
            outcome,
            remark,
        } = self;
        vec![
            cell(attachment.as_str()),
            cell(*outcome),
            Cell::sentence(remark),
        ]
    }
}
