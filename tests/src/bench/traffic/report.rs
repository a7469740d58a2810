//! The table.

use std::fmt;

use super::contender::EMPTY;
use super::{Measured, Plan};
use crate::stats::Figures;

/// One kind of program.
#[derive(Clone, Debug)]
struct Row {
    name: &'static str,
    /// Nanoseconds a packet takes above a program that does nothing.
    above: Figures,
    /// What it is held against, and how often that fits.
    against: Option<(&'static str, f64, f64)>,
}

/// Everything measured.
#[derive(Clone, Debug)]
pub struct Report {
    programs: u32,
    packets: u32,
    rounds: u32,
    empty: f64,
    rows: Vec<Row>,
}

impl Report {
    /// Of the rounds.
    pub(super) fn new(plan: Plan, measured: &[Measured]) -> Self {
        let Plan {
            programs,
            packets,
            rounds,
        } = plan;
        let of = |name| measured.iter().find(|one| one.contender.name == name);
        let rounds_of = |name| of(name).map_or(&[][..], |one| &one.rounds);
        let above = |rounds: &[f64]| -> Vec<f64> {
            let pairs = rounds.iter().zip(rounds_of(EMPTY));
            pairs.map(|(one, empty)| one - empty).collect()
        };
        let rows = measured.iter().filter(|one| one.contender.name != EMPTY);
        let rows = rows.map(|one| {
            let own = above(&one.rounds);
            let against = one.contender.aim.map(|(name, aim)| {
                let other = above(rounds_of(name));
                let ratios = own.iter().zip(&other).map(|(own, other)| own / other);
                (name, Figures::new(ratios).median(), aim)
            });
            Row {
                name: one.contender.name,
                above: Figures::new(own),
                against,
            }
        });
        Self {
            programs,
            packets,
            rounds,
            empty: Figures::new(rounds_of(EMPTY).iter().copied()).median(),
            rows: rows.collect(),
        }
    }

    /// Whether all are within their aims.
    pub fn holds(&self) -> bool {
        let against = self.rows.iter().filter_map(|row| row.against);
        against.into_iter().all(|(_, ratio, aim)| ratio <= aim)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            programs,
            packets,
            rounds,
            empty,
            rows,
        } = self;
        writeln!(
            f,
            "A packet in one of {programs} programs, in any order: {packets} packets by turns,"
        )?;
        writeln!(
            f,
            "{rounds} rounds. A program that does nothing takes {empty:.1} ns; above that:\n"
        )?;
        writeln!(
            f,
            "{:<38} {:>8} {:>15} {:>16}",
            "", "ns", "half of rounds", "of its own sum"
        )?;
        for Row {
            name,
            above,
            against,
        } in rows
        {
            let (median, [low, high]) = (above.median(), above.quartiles());
            let half = format!("{low:.1} to {high:.1}");
            write!(f, "{name:<38} {median:>8.1} {half:>15}")?;
            match against {
                Some((_, ratio, aim)) => writeln!(f, " {ratio:>9.2} ({aim:.2})")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}
