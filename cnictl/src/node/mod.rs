//! `cnictl node`.

mod adopt;
mod here;
mod republish;
mod row;

use std::io::Write;

use berth_ipam::closure::{self, ClosureError};
use berth_store::Store;
use berth_types::{NodeId, NodeName};

use crate::cli::{Consent, DeadArgs};
use crate::confirm::confirm;
use crate::error::{Ended, Failure};
use crate::output::Printer;

pub(crate) use adopt::adopt;
pub(crate) use here::random;
pub(crate) use republish::republish;
pub(crate) use row::NodeRow;

/// `cnictl node list`
pub(crate) async fn list(
    store: &impl Store,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let rows = NodeRow::all(&closure::look(store).await?);
    out.list(&rows, "the store knows no node")?;
    let mut ended = Ended::Clean;
    for problem in rows.iter().filter_map(|row| row.problem.as_ref()) {
        out.remark(format_args!("warning: {problem}; left alone"))?;
        ended = Ended::Findings;
    }
    Ok(ended)
}

/// `cnictl node show`
pub(crate) async fn show(
    store: &impl Store,
    name: &NodeName,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let view = closure::look(store).await?;
    let row = NodeRow::all(&view)
        .into_iter()
        .find(|row| row.node == name.as_str());
    let row = row.ok_or_else(|| ClosureError::NoSuchNode(name.clone()))?;
    out.sheet(&row)?;
    let unreadable = row.problem.is_some();
    Ok(if unreadable {
        Ended::Findings
    } else {
        Ended::Clean
    })
}

/// `cnictl node dead`
pub(crate) async fn dead(
    store: &impl Store,
    args: &DeadArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let DeadArgs { name, consent } = args;
    let nobody = format!("{:032x}", u128::from_be_bytes(random()?));
    let nobody = nobody.parse::<NodeId>().map_err(|invalid| Failure::Usage {
        problem: invalid.to_string(),
        hint: "run it again".to_owned(),
    })?;
    let view = closure::look(store).await?;
    let death = closure::declare_dead(&view, name, &nobody)?;
    out.remark(format_args!(
        "node {name} is no longer waited for; its {} attachments stay held",
        death.attachments
    ))?;
    match consent.consent() {
        Consent::DryRun => return Ok(Ended::Clean),
        Consent::Ask => confirm(
            "Are all its containers gone for good? One that lives keeps its address unrecorded.",
            out,
        )?,
        Consent::Given => {}
    }
    death.commit(store).await?;
    let view = closure::look(store).await?;
    let row = NodeRow::all(&view)
        .into_iter()
        .find(|row| row.node == name.as_str());
    out.done(format_args!("node {name} is declared dead"), &row)?;
    Ok(Ended::Clean)
}
