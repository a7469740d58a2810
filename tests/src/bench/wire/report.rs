//! The table.

use std::fmt;

use super::{Measured, Plan};

/// One load.
#[derive(Clone, Debug)]
struct Row {
    name: &'static str,
    without: f64,
    with: f64,
    /// By how much a round with the programs differs from the one without beside it: the median, and
    /// the interval that it is in with 95 % confidence.
    difference: [f64; 3],
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
                without: interval(one.without.clone())[0],
                with: interval(one.with.clone())[0],
                difference: interval(pairs.map(|(with, without)| with - without).collect()),
            }
        };
        Self {
            rounds: plan.rounds,
            rows: measured.iter().map(row).collect(),
        }
    }
}

/// The median, and the interval that it is in with 95 % confidence whatever the distribution: by
/// order statistics, 1.96 standard deviations of `n` throws of a coin from the middle.
fn interval(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let mut far = 0;
    // The first that is not below 0.98 × √n.
    while 10_000 * far * far < 9604 * values.len() {
        far += 1;
    }
    let middle = last / 2;
    let at = |rank: usize| values.get(rank).copied().unwrap_or(f64::NAN);
    [
        at(middle),
        at(middle.saturating_sub(far)),
        at((middle + far).min(last)),
    ]
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
            difference: [median, low, high],
        } in rows
        {
            writeln!(
                f,
                "| {name} | {without:.0} ns | {with:.0} ns | {median:.1} ns ({:.1} %) | {low:.1} to {high:.1} ns |",
                median / without * 100.0
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_sign_test() {
        let ranks = |n: u32| {
            let values = interval((1..=n).map(f64::from).collect());
            values.map(|value| format!("{value:.0}"))
        };
        // Conover's table for n = 21 has 6 and 16; the approximation is no narrower.
        assert_eq!(ranks(21), ["11", "6", "16"]);
        assert_eq!(ranks(1), ["1", "1", "1"]);
        assert!(interval(Vec::new())[0].is_nan());
    }
}
