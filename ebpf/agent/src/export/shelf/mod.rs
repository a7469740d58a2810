//! Which rows have series of their own, and the bucket `other` for those that have none.
//!
//! Two things must hold. No two rows have one set of labels: a monitoring system refuses the whole
//! scrape. And the sum over all rows grows by what was counted: a row that does not fit, or whose
//! labels another has taken, adds to the bucket what it grows by. Who is in the bucket stays there
//! for good, and who is not until its labels go to another: nothing is ever counted on both sides.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::counts;

/// One row that wants series of its own.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<const N: usize> {
    /// The labels that tell it from others.
    pub(crate) labels: Vec<String>,
    /// Which life of it: another one with the same labels counts from zero.
    pub(crate) life: Life,
    /// It has ended: it makes way for one that has not.
    pub(crate) ended: bool,
    /// How many series it needs.
    pub(crate) cost: usize,
    /// Its numbers.
    pub(crate) numbers: [u64; N],
}

/// A row from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    /// Since when it is counted.
    pub(crate) created: Timestamp,
    /// What tells it from others of the same moment.
    pub(crate) id: String,
}

/// The bucket of all rows without series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other<const N: usize> {
    /// Since when the first of them was counted.
    pub(crate) created: Timestamp,
    /// Their sum.
    pub(crate) numbers: [u64; N],
}

/// How many series were left out so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// For want of room.
    pub(crate) budget: u64,
    /// Another row that lives has the labels.
    pub(crate) duplicate: u64,
}

/// What is remembered from one look to the next.
#[derive(Debug)]
pub(crate) struct Shelf<const N: usize> {
    /// The labels of the bucket: no row gets them.
    bucket: [&'static str; 3],
    shown: BTreeSet<Life>,
    hidden: BTreeSet<Life>,
    /// What each had counted at the last look.
    last: BTreeMap<Life, [u64; N]>,
    other: Option<Other<N>>,
    dropped: Dropped,
}

impl<const N: usize> Shelf<N> {
    /// An empty one; the bucket will have these labels.
    pub(crate) const fn new(bucket: [&'static str; 3]) -> Self {
        Self {
            bucket,
            shown: BTreeSet::new(),
            hidden: BTreeSet::new(),
            last: BTreeMap::new(),
            other: None,
            dropped: Dropped {
                budget: 0,
                duplicate: 0,
            },
        }
    }

    /// The bucket, once there was anything to put into it.
    pub(crate) const fn other(&self) -> Option<&Other<N>> {
        self.other.as_ref()
    }

    /// What was left out so far.
    pub(crate) const fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Answers which of `candidates` have series of their own, as indexes in the order of labels,
    /// and what they cost together, which is at most `room`. Adds the others to the bucket.
    pub(crate) fn sort(&mut self, candidates: &[Candidate<N>], room: usize) -> (Vec<usize>, usize) {
        let (winners, duplicates) = by_labels(candidates, &self.bucket);
        for at in duplicates {
            self.lose_labels(candidates, at);
        }
        let (shown, cost) = self.admit(candidates, winners, room);
        self.remember(candidates);
        (shown, cost)
    }

    /// Adds what is nobody's to the bucket, once and from then on what it grows by.
    ///
    /// A life without an id is remembered for good: it may come back with what it had.
    pub(crate) fn add_to_other(&mut self, life: &Life, created: Timestamp, numbers: &[u64; N]) {
        let grown = match self.last.get(life) {
            Some(last) => grown(last, numbers),
            None => *numbers,
        };
        self.last.insert(life.clone(), *numbers);
        if self.other.is_none() && grown == [0; N] {
            return;
        }
        let other = self.other.get_or_insert(Other {
            created,
            numbers: [0; N],
        });
        counts::add(&mut other.numbers, &grown);
    }

    /// The labels went to another row: what it had shown stays shown in the past, and the rest is
    /// added to the bucket. One that has ended grows no more, and goes quietly.
    fn lose_labels(&mut self, candidates: &[Candidate<N>], at: usize) {
        let Some(candidate) = candidates.get(at) else {
            return;
        };
        let known = self.last.contains_key(&candidate.life);
        self.shown.remove(&candidate.life);
        self.hidden.insert(candidate.life.clone());
        if candidate.ended && !known {
            // It was never shown, and nobody will add it up: not even its beginning.
            self.last.insert(candidate.life.clone(), candidate.numbers);
        }
        if !candidate.ended {
            self.dropped.duplicate += amount(candidate.cost);
        }
        self.add_to_other(&candidate.life, candidate.life.created, &candidate.numbers);
    }

    /// Those that had series keep them; the rest gets what room is left, the oldest first.
    fn admit(
        &mut self,
        candidates: &[Candidate<N>],
        winners: Vec<usize>,
        room: usize,
    ) -> (Vec<usize>, usize) {
        let of = |at: &usize| candidates.get(*at);
        let mut in_turn: Vec<usize> = winners.clone();
        in_turn.sort_by_key(|at| of(at).map(|c| (!self.shown.contains(&c.life), &c.life)));
        let mut cost = 0;
        for candidate in in_turn.iter().filter_map(of) {
            let fits = cost + candidate.cost <= room && !self.hidden.contains(&candidate.life);
            if fits {
                cost += candidate.cost;
                self.shown.insert(candidate.life.clone());
            } else {
                self.dropped.budget += amount(candidate.cost);
                self.shown.remove(&candidate.life);
                self.hidden.insert(candidate.life.clone());
                self.add_to_other(&candidate.life, candidate.life.created, &candidate.numbers);
            }
        }
        let is_shown = |at: &usize| of(at).is_some_and(|c| self.shown.contains(&c.life));
        let mut shown = winners;
        shown.retain(is_shown);
        (shown, cost)
    }

    /// Remembers what lives, and forgets what does not.
    fn remember(&mut self, candidates: &[Candidate<N>]) {
        let living: BTreeSet<&Life> = candidates.iter().map(|c| &c.life).collect();
        self.shown.retain(|life| living.contains(life));
        self.hidden.retain(|life| living.contains(life));
        let keep = |life: &Life| living.contains(life) || life.id.is_empty();
        self.last.retain(|life, _| keep(life));
        for candidate in candidates {
            self.last.insert(candidate.life.clone(), candidate.numbers);
        }
    }
}

/// For each set of labels the row that gets it, in the order of labels; and all the others. One
/// that lives before one that ended, then the youngest.
fn by_labels<const N: usize>(
    candidates: &[Candidate<N>],
    bucket: &[&str; 3],
) -> (Vec<usize>, Vec<usize>) {
    let mut best: BTreeMap<&[String], usize> = BTreeMap::new();
    let mut losers = Vec::new();
    let rank = |at: usize| candidates.get(at).map(|c| (!c.ended, &c.life));
    for (at, candidate) in candidates.iter().enumerate() {
        if candidate.labels.iter().eq(bucket) {
            losers.push(at);
            continue;
        }
        match best.get_mut(candidate.labels.as_slice()) {
            None => drop(best.insert(&candidate.labels, at)),
            Some(held) if rank(at) > rank(*held) => losers.push(std::mem::replace(held, at)),
            Some(_) => losers.push(at),
        }
    }
    (best.into_values().collect(), losers)
}

/// By how much each number grew; one that went back has begun anew.
fn grown<const N: usize>(last: &[u64; N], now: &[u64; N]) -> [u64; N] {
    let mut grown = *now;
    for (grown, last) in grown.iter_mut().zip(last) {
        *grown = grown.checked_sub(*last).unwrap_or(*grown);
    }
    grown
}

fn amount(cost: usize) -> u64 {
    u64::try_from(cost).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
