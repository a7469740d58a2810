//! The commands that only look.

use std::io::{self, Write};
use std::process::ExitCode;

use super::error::Failure;
use crate::args::Format;
use crate::config::Config;
use crate::containers::Containers;
use crate::engine::{Notes, now};
use crate::kernel::{bpffs, lock, maps};
use crate::ledger::{Formers, Ledger, Pinned, sum};
use crate::model::Snapshot;
use crate::snapshot::{self, Agent};
use crate::uninstall;

/// How often the maps are read anew when the running agent changed them meanwhile.
const TRIES: usize = 10;

/// Shows all counters, from the kernel: no agent has to run.
pub(super) fn snapshot(
    config: &Config,
    format: Format,
    out: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let snapshot = read(config)?;
    match format {
        Format::Json => writeln!(out, "{:#}", snapshot::json(&snapshot))?,
        Format::Table => table(&snapshot, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Says how the counting goes.
pub(super) fn status(config: &Config, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let snapshot = read(config)?;
    let (records, counted) = snapshot.health.coverage;
    writeln!(out, "counted interfaces: {counted} of {records}")?;
    for sentence in &snapshot.health.degraded {
        writeln!(out, "degraded: {sentence}")?;
    }
    Ok(
        if snapshot.health.degraded.is_empty() && counted == records {
            ExitCode::SUCCESS
        } else {
            2.into()
        },
    )
}

/// Removes every trace.
pub(super) fn uninstall(config: &Config, out: &mut impl Write) -> Result<ExitCode, Failure> {
    bpffs::check(&config.bpffs)?;
    let alone = lock::alone(&config.bpffs)?;
    let removed = uninstall::uninstall(&config.bpffs, &config.state_dir, config.manner)?;
    drop(alone);
    writeln!(out, "removed {} pins", removed.pins)?;
    for left in &removed.left {
        writeln!(out, "left: {left}")?;
    }
    if removed.left.is_empty() {
        writeln!(out, "nothing is left")?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(2.into())
}

fn read(config: &Config) -> Result<Snapshot, Failure> {
    bpffs::check(&config.bpffs)?;
    let folder = maps::folder_of(&config.bpffs);
    let agent = Agent {
        node: config.node.clone(),
        started: now().time,
        kernel: config.containers.kernel.clone(),
    };
    let found = crate::observe::read(&config.run_dir);
    let mut notes = Notes::default();
    notes.troubles.wanted = found.wanted.len();
    notes.troubles.records = found.unreadable.into_values().collect();
    let mut before = None;
    let mut tries = 0;
    loop {
        let mut ledger = Ledger::open(Pinned::open(&folder)?, now().uptime)?;
        for (abi, folder) in maps::other_versions(&config.bpffs) {
            if let Ok(formers) = Formers::open(abi, &folder) {
                ledger.read_with(formers);
            }
        }
        let mut snapshot = snapshot::of(&ledger, &notes, &agent, now().time);
        // Slots that were given or freed between two looks may be in both sums, or in none.
        let owners: Vec<_> = owners(&ledger);
        tries += 1;
        if before.as_ref() == Some(&owners) || tries == TRIES {
            // Maps without them are of an agent that did not tell containers apart.
            if let Ok(containers) = Containers::open(&folder, now()) {
                containers.tell(&mut snapshot);
            }
            return Ok(snapshot);
        }
        before = Some(owners);
    }
}

fn owners(ledger: &Ledger<Pinned>) -> Vec<(u32, u64, bool, bool)> {
    let slots = ledger.slots().iter();
    slots
        .map(|(slot, found)| {
            let moved = found.identity.former.is_none();
            (*slot, found.generation, found.ended.is_some(), moved)
        })
        .collect()
}

fn table(snapshot: &Snapshot, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<24} {:<40} {:<10} {:>16} {:>16}",
        "NAMESPACE", "POD", "INTERFACE", "RECEIVED (B)", "SENT (B)"
    )?;
    for interface in &snapshot.interfaces {
        let [received, sent] =
            [&interface.totals.receive, &interface.totals.transmit].map(|way| sum(way).bytes);
        writeln!(
            out,
            "{:<24} {:<40} {:<10} {received:>16} {sent:>16}",
            interface.pod.namespace,
            interface.pod.name,
            interface.ifname.to_string(),
        )?;
    }
    Ok(())
}
