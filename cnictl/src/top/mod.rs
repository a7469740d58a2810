//! `cnictl top`: who carries how much on a node, a second each.
//!
//! Two looks at the agent make a list of rates ([`rates`], pure), which is printed or drawn.

mod agent;
mod keys;
mod paint;
mod rates;
mod row;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::cli::{Format, TopArgs};
use crate::error::{Ended, Failure};
use crate::output::Printer;
use agent::Agent;
use rates::Looks;

pub(crate) use agent::AgentError;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Shows rates until it is told to end, or once.
pub(crate) async fn run(
    args: &TopArgs,
    format: Format,
    out: &mut Printer<impl io::Write, impl io::Write>,
) -> Result<Ended, Failure> {
    let agent = Agent::new(args)?;
    let drawn = !args.once && format == Format::Table && io::stdout().is_terminal();
    if drawn && io::stdin().is_terminal() {
        return keys::watch(&agent, args).await;
    }
    once(&agent, args, out).await
}

async fn once(
    agent: &Agent,
    args: &TopArgs,
    out: &mut Printer<impl io::Write, impl io::Write>,
) -> Result<Ended, Failure> {
    let mut looks = Looks::default();
    let begun = now();
    looks.add(agent.traffic().await?);
    sleep_until(begun + PERIOD).await;
    looks.add(agent.traffic().await?);
    let rows = looks.rows(args.sort, &args.filter);
    let recorded = looks
        .node()
        .map_or((0, 0), |node| (node.counted, node.recorded));
    if recorded.0 < recorded.1 {
        out.remark(format_args!(
            "only {} of {} interfaces are counted",
            recorded.0, recorded.1
        ))?;
    }
    for words in looks.node().into_iter().flat_map(|node| &node.degraded) {
        out.remark(row::harmless(words))?;
    }
    out.list(
        &rows,
        "no container is counted on this node, or none fits the filter",
    )?;
    Ok(Ended::Clean)
}

/// The runtime's clock: this is the loop that reads it.
fn now() -> Instant {
    Instant::now()
}
