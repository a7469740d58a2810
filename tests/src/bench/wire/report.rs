//! The table.

use std::fmt;

use super::{Measured, Plan};
use crate::stats::Figures;

/// One load.
#[derive(Clone, Debug)]
struct Row {
    name: &'static str,
    without: f64,
    with: f64,
    /// By how much a round with the programs differs from the one without beside it.
    difference: Figures,
}

/// Everything measured.
#[derive(Clone, Debug)]
pub struct Report {
    rounds: u32,
    rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(plan: Plan, measured: &[Measured]) -> Self {
        let row = |one: &Measured| {
            let pairs = one.with.iter().zip(&one.without);
            Row {
                name: one.load.name(),
                without: Figures::new(one.without.iter().copied()).median(),
                with: Figures::new(one.with.iter().copied()).median(),
                difference: Figures::new(pairs.map(|(with, without)| with - without)),
            }
        };
        Self {
            rounds: plan.rounds,
            rows: measured.iter().map(row).collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, rows } = self;
        writeln!(
            f,
            "| of {rounds} rounds in turn | without | with | difference | 95 % interval |\n|---|--:|--:|--:|--:|"
        )?;
        for Row {
            name,
            without,
            with,
            difference,
        } in rows
        {
            let (median, [low, high]) = (difference.median(), difference.interval());
            writeln!(
                f,
                "| {name} | {without:.0} ns | {with:.0} ns | {median:.1} ns ({:.1} %) | {low:.1} to {high:.1} ns |",
                median / without * 100.0
            )?;
        }
        Ok(())
    }
}
