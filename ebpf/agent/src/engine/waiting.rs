//! Which records wait to be counted, and since when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::Moment;
use crate::ledger::Life;

/// The records that were heard of, each with the uptime since which it waits; those that do not wait
/// without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    since: BTreeMap<Life, Option<Duration>>,
}

impl Waiting {
    /// Takes note of all records, each with when it was written. Those of `settled` wait for nothing:
    /// they are counted, or their interface is gone.
    ///
    /// What was not known before waits since it was written, and what has been settled since `now`. A
    /// record that was written in the future, by clocks that differ, has just appeared.
    pub fn note<'a>(
        &mut self,
        records: impl Iterator<Item = (&'a Life, Timestamp)>,
        settled: &BTreeSet<Life>,
        now: Moment,
    ) {
        let before = std::mem::take(&mut self.since);
        for (life, written) in records {
            let since = match before.get(life) {
                _ if settled.contains(life) => None,
                Some(Some(since)) => Some(*since),
                Some(None) => Some(now.uptime),
                None => Some(now.uptime.saturating_sub(age(written, now.time))),
            };
            self.since.insert(life.clone(), since);
        }
    }

    /// For how long the oldest of them has waited at the uptime `now`; zero when none does.
    pub fn lag(&self, now: Duration) -> Duration {
        let oldest = self.since.values().flatten().min();
        oldest.map_or(Duration::ZERO, |since| now.saturating_sub(*since))
    }
}

fn age(written: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(written)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use berth_types::Incarnation;

    use super::*;

    fn life(name: &str) -> Life {
        Life {
            container: name.parse().unwrap(),
            ifname: "eth0".parse().unwrap(),
            incarnation: Incarnation::from_random([7; 16]),
        }
    }

    /// The machine has been up for 1,000 seconds when it is 5,000 o'clock.
    fn at(seconds: i64) -> Moment {
        Moment {
            time: time(seconds),
            uptime: Duration::from_secs((seconds - 4000).try_into().unwrap()),
        }
    }

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// A name, records with when they were written, those that are settled, and the lag in seconds.
    type Case<'a> = (&'a str, &'a [(&'a Life, i64)], &'a [&'a Life], u64);

    #[test]
    fn the_lag_is_that_of_the_oldest_record_that_waits() {
        let (a, b, c) = (life("a"), life("b"), life("c"));
        let cases: [Case<'_>; 7] = [
            ("there are no records", &[], &[], 0),
            ("all are counted", &[(&a, 4000), (&b, 4900)], &[&a, &b], 0),
            ("one waits", &[(&a, 4000), (&b, 4990)], &[&a], 10),
            ("the oldest of two", &[(&a, 4980), (&b, 4990)], &[], 20),
            ("older than the uptime", &[(&c, 10)], &[], 1000),
            ("written in the future", &[(&c, 9000)], &[], 0),
            ("counted, and gone since", &[], &[&a], 0),
        ];
        for (case, records, settled, expected) in cases {
            let mut waiting = Waiting::default();
            let records = records.iter().map(|(life, at)| (*life, time(*at)));
            let settled = settled.iter().map(|life| (*life).clone()).collect();
            waiting.note(records, &settled, at(5000));
            let lag = waiting.lag(at(5000).uptime);
            assert_eq!(lag, Duration::from_secs(expected), "case: {case}");
        }
    }

    #[test]
    fn it_grows_between_two_looks_and_by_no_step_of_the_clock() {
        let a = life("a");
        let mut waiting = Waiting::default();
        waiting.note([(&a, time(4999))].into_iter(), &BTreeSet::new(), at(5000));
        assert_eq!(waiting.lag(at(5030).uptime), Duration::from_secs(31));
        let stepped = Moment {
            time: time(90_000),
            ..at(5040)
        };
        waiting.note([(&a, time(5039))].into_iter(), &BTreeSet::new(), stepped);
        assert_eq!(waiting.lag(stepped.uptime), Duration::from_secs(41));
    }

    /// Its record is days old, and its trouble is not.
    #[test]
    fn what_was_counted_once_waits_since_it_is_not_any_more() {
        let a = life("a");
        let record = || [(&a, time(10))].into_iter();
        let counted = BTreeSet::from([a.clone()]);
        let mut waiting = Waiting::default();
        waiting.note(record(), &counted, at(5000));
        waiting.note(record(), &BTreeSet::new(), at(5100));
        assert_eq!(waiting.lag(at(5107).uptime), Duration::from_secs(7));
        waiting.note(record(), &counted, at(5110));
        assert_eq!(waiting.lag(at(5110).uptime), Duration::ZERO);
    }
}
