//! From a snapshot to the text that a monitoring system reads: pure, but for a look at `/proc`.
//!
//! An [`Exporter`] remembers from one look to the next which rows have series of their own; what
//! comes of a look, an [`Exposition`], can be written in any form.

mod agent;
mod cadvisor;
mod counts;
mod durations;
mod families;
pub mod json;
mod options;
mod pods;
mod process;
mod rollups;
mod rows;
mod shelf;
mod text;
mod words;

use std::sync::Arc;
use std::time::Duration;

use crate::model::Snapshot;

use agent::{Own, Part};
use durations::Durations;
use rows::{Rows, Shelves};
use text::Text;

pub use options::{ExportOptions, Level, Tcp};
pub use process::Process;
pub use text::Format;

pub(crate) use rollups::{family_label, protocol_label};
pub(crate) use words::{driver_label, mode_label, reason_label};

/// Where snapshots come from.
pub trait Source: Send + Sync + 'static {
    /// What is known now. May take as long as reading the counters does.
    fn snapshot(&self) -> Arc<Snapshot>;
}

/// What is remembered from one look to the next.
#[derive(Debug)]
pub struct Exporter {
    options: ExportOptions,
    shelves: Shelves,
    durations: Durations,
}

impl Exporter {
    /// One that has seen nothing yet.
    pub fn new(options: ExportOptions) -> Self {
        Self {
            options,
            shelves: Shelves::new(),
            durations: Durations::default(),
        }
    }

    /// Decides what of `snapshot` is shown. Snapshots are given in the order they were taken in.
    pub fn look(&mut self, snapshot: Arc<Snapshot>, process: Option<Process>) -> Exposition {
        let rows = self.shelves.rows(&snapshot, &self.options);
        Exposition {
            options: self.options.clone(),
            durations: self.durations.clone(),
            snapshot,
            rows,
            process,
        }
    }

    /// Notes how long it took to take a snapshot and to write it down.
    pub fn took(&mut self, duration: Duration) {
        self.durations.add(duration);
    }
}

/// What is shown of one snapshot.
#[derive(Debug)]
pub struct Exposition {
    snapshot: Arc<Snapshot>,
    rows: Rows,
    options: ExportOptions,
    durations: Durations,
    process: Option<Process>,
}

/// How many bytes a sample and its time of creation take together.
const SAMPLE: usize = 220;

impl Exposition {
    /// The text of `/metrics`.
    pub fn text(&self, format: Format) -> String {
        let interfaces = self.rows.interfaces.len() * 23;
        let rows = interfaces + 8 * (self.rows.containers.len() + self.rows.workloads.len());
        let mut text = Text::new(format, (rows + 200) * SAMPLE);
        let parts = self.data(&mut text);
        let own = Own {
            durations: &self.durations,
            parts: &parts,
            dropped: self.rows.dropped,
            process: self.process.as_ref(),
        };
        agent::write(&mut text, &self.snapshot, &own);
        text.finish()
    }

    /// The text of `/metrics/cadvisor`.
    pub fn cadvisor(&self, format: Format) -> String {
        let mut text = Text::new(format, self.rows.interfaces.len() * 8 * SAMPLE * 2);
        cadvisor::write(&mut text, &self.rows);
        text.finish()
    }

    /// The snapshot it was made from.
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Everything that is not the agent's own, and what each part takes.
    fn data(&self, text: &mut Text) -> Vec<Part> {
        let Self { rows, options, .. } = self;
        let workloads = &self.snapshot.workloads;
        let mut parts = Vec::new();
        let mut before = text.size();
        let mut part = |name: &'static str, text: &Text| {
            let (series, bytes) = text.size();
            parts.push((name, series - before.0, bytes - before.1));
            before = (series, bytes);
        };
        pods::write(text, rows, options);
        part("pod", text);
        pods::write_containers(text, rows, options.level);
        part("container", text);
        rollups::write_workloads(text, rows, options.level);
        part("workload", text);
        rollups::write_namespaces(text, workloads, options);
        part("namespace", text);
        rollups::write_node(text, workloads, options.level);
        part("node", text);
        parts
    }
}
