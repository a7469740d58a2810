//! `cnictl node adopt`: shows whose the name is, asks, and takes it only from what was shown.

use std::io::Write;

use berth_ipam::node::adopt::{self, Adoption};
use berth_store::Store;
use berth_types::NodeRecord;
use serde::Serialize;

use super::here;
use crate::cli::{AdoptArgs, Consent};
use crate::confirm::confirm;
use crate::error::{Ended, Failure};
use crate::output::Printer;

/// What was done about a name. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Adopted {
    /// The node.
    node: String,
    /// `adopted`, `would-adopt`, or `already-ours`.
    outcome: &'static str,
    /// The id the name had before.
    former_node_id: Option<String>,
    /// The id it has.
    node_id: String,
    /// Attachments that the former machine made; they stay held.
    left_behind: Vec<String>,
}

/// `cnictl node adopt`
pub(crate) async fn adopt(
    store: &impl Store,
    args: &AdoptArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let AdoptArgs { here, consent } = args;
    let identity = here::identity(here)?;
    let adoption = adopt::look(store, &identity).await?;
    let left_behind = adoption.left_behind.iter().map(ToString::to_string);
    let mut adopted = Adopted {
        node: identity.name.to_string(),
        outcome: "already-ours",
        former_node_id: adoption.before.as_ref().map(|(_, b)| b.node_id.to_string()),
        node_id: identity.id.to_string(),
        left_behind: left_behind.collect(),
    };
    let name = &identity.name;
    let Some(after) = &adoption.after else {
        out.done(
            format_args!("node {name} is this machine's already"),
            &adopted,
        )?;
        return Ok(Ended::Clean);
    };
    show(&adoption, after, out)?;
    match consent.consent() {
        Consent::DryRun => {
            adopted.outcome = "would-adopt";
            out.done(
                format_args!("node {name} would be this machine's"),
                &adopted,
            )?;
            return Ok(Ended::Clean);
        }
        Consent::Ask => confirm(
            "Take the name? The machine that had it can then neither allocate nor release.",
            out,
        )?,
        Consent::Given => {}
    }
    if !adoption.commit(store).await? {
        return Err(Failure::Changed(format!("node {name}")));
    }
    adopted.outcome = "adopted";
    out.done(format_args!("node {name} is this machine's"), &adopted)?;
    Ok(Ended::Clean)
}

/// The change, line by line.
fn show(
    adoption: &Adoption,
    after: &NodeRecord,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<(), Failure> {
    let before = adoption.before.as_ref().map(|(_, record)| record);
    let lines = |record: &NodeRecord| {
        [
            format!("node id    {}", record.node_id),
            format!("machine id {}", record.machine_id),
            format!("boot id    {}", record.boot_id),
        ]
    };
    let before = before.map(lines).into_iter().flatten();
    for line in before {
        out.remark(format_args!("- {line}"))?;
    }
    for line in lines(after) {
        out.remark(format_args!("+ {line}"))?;
    }
    for id in &adoption.left_behind {
        out.remark(format_args!(
            "  {id} was made by another machine and stays held"
        ))?;
    }
    Ok(())
}
