//! The table.

use std::fmt;

use super::contender::EMPTY;
use super::{Measured, Plan};

/// One kind of program.
#[derive(Clone, Debug)]
struct Row {
    name: &'static str,
    /// Nanoseconds a packet takes above a program that does nothing: the median, and the quartiles.
    above: [f64; 3],
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
                (name, quartiles(ratios.collect())[0], aim)
            });
            Row {
                name: one.contender.name,
                above: quartiles(own),
                against,
            }
        });
        Self {
            programs,
            packets,
            rounds,
            empty: quartiles(rounds_of(EMPTY).to_vec())[0],
            rows: rows.collect(),
        }
    }

    /// Whether all are within their aims.
    pub fn holds(&self) -> bool {
        let against = self.rows.iter().filter_map(|row| row.against);
        against.into_iter().all(|(_, ratio, aim)| ratio <= aim)
    }
}

/// The median, and the values that a quarter are below and above.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |quarter: usize| values.get(values.len() * quarter / 4).copied();
    [2, 1, 3].map(|quarter| at(quarter).unwrap_or(f64::NAN))
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
            above: [median, low, high],
            against,
        } in rows
        {
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
