//! What our programs cost: measured for a moment every so often, because measuring costs as well.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::engine::{Moment, Stop};
use crate::kernel::privileges::{Needs, keep_only};
use crate::kernel::statistics::{Loaded, Measuring, Runs, loaded};
use crate::model::{ProgramRuns, Snapshot};

/// For how long it is measured each time.
pub const SAMPLE: Duration = Duration::from_secs(1);
/// How often it is looked whether the agent is to end.
const TICK: Duration = Duration::from_millis(250);

/// What was measured so far, by program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    by_program: BTreeMap<&'static str, Runs>,
}

impl Samples {
    /// Adds what programs did between two looks of one measurement. One that was loaded meanwhile did
    /// all it ever did; what one did that was unloaded meanwhile is not known.
    pub fn add(&mut self, before: &BTreeMap<u32, Loaded>, after: &BTreeMap<u32, Loaded>) {
        for (number, Loaded { name, runs }) in after {
            let known = before.get(number).map(|loaded| loaded.runs);
            let known = known.unwrap_or_default();
            let sum = self.by_program.entry(name).or_default();
            let more = |now: u64, then: u64| now.saturating_sub(then);
            sum.runs += more(runs.runs, known.runs);
            sum.nanoseconds += more(runs.nanoseconds, known.nanoseconds);
        }
    }

    /// All of it, by name.
    pub fn rows(&self) -> Vec<ProgramRuns> {
        let rows = self.by_program.iter();
        rows.map(|(program, runs)| ProgramRuns {
            program: (*program).to_owned(),
            runs: runs.runs,
            nanoseconds: runs.nanoseconds,
        })
        .collect()
    }
}

/// Measures on a thread of its own.
#[derive(Debug)]
pub struct Sampler {
    folder: PathBuf,
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    samples: Samples,
    problem: Option<String>,
}

impl Sampler {
    /// Measures for [`SAMPLE`] in `every`, until `stop`, the programs that count into the maps pinned
    /// in `folder`. Begins at once.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(
        folder: PathBuf,
        every: Duration,
        stop: &Arc<Stop>,
        clock: fn() -> Moment,
    ) -> io::Result<Arc<Self>> {
        let sampler = Arc::new(Self {
            folder,
            every,
            state: Mutex::default(),
        });
        let (measures, stop) = (Arc::clone(&sampler), Arc::clone(stop));
        let work = move || {
            keep_only(Needs::Statistics);
            measures.run(&stop, clock);
        };
        // Not joined: the kernel stops measuring when the thread ends, however it does.
        drop(thread::Builder::new().name("sampler".into()).spawn(work)?);
        Ok(sampler)
    }

    /// Adds to `snapshot` what was measured.
    pub fn tell(&self, snapshot: &mut Snapshot) {
        let state = self.state();
        snapshot.health.programs = state.samples.rows();
        snapshot.health.degraded.extend(state.problem.clone());
    }

    /// Why nothing is measured, when that is so.
    pub fn problem(&self) -> Option<String> {
        self.state().problem.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, stop: &Stop, clock: fn() -> Moment) {
        while !stop.is_asked() {
            let begun = clock().uptime;
            let wait = |until: Duration| {
                while !stop.is_asked() && clock().uptime.saturating_sub(begun) < until {
                    thread::park_timeout(TICK);
                }
            };
            let problem = self.sample(&wait).err();
            self.state().problem = problem.map(|error| {
                format!(
                    "what the programs cost is not measured: {error}; that takes CAP_SYS_ADMIN and \
                     Linux 5.8, or leave --sample-programs out"
                )
            });
            wait(self.every);
        }
    }

    fn sample(&self, wait: &dyn Fn(Duration)) -> io::Result<()> {
        let measuring = Measuring::begin()?;
        let before = loaded(&self.folder)?;
        wait(SAMPLE);
        let after = loaded(&self.folder)?;
        drop(measuring);
        self.state().samples.add(&before, &after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(programs: &[(u32, &'static str, u64)]) -> BTreeMap<u32, Loaded> {
        let of = |(number, name, runs): &(u32, &'static str, u64)| {
            let nanoseconds = runs * 50;
            let runs = Runs {
                runs: *runs,
                nanoseconds,
            };
            (*number, Loaded { name, runs })
        };
        programs.iter().map(of).collect()
    }

    #[test]
    fn programs_of_one_name_are_one_sum_that_never_goes_back() {
        let (receive, transmit) = ("receive", "transmit");
        let looks = [
            (
                "two of one name, one of which had run before",
                seen(&[(1, receive, 100), (2, receive, 0), (3, transmit, 7)]),
                seen(&[(1, receive, 110), (2, receive, 5), (3, transmit, 7)]),
                [15, 0],
            ),
            (
                "one is unloaded, and one is loaded",
                seen(&[(1, receive, 110), (3, transmit, 7)]),
                seen(&[(3, transmit, 9), (4, receive, 3)]),
                [18, 2],
            ),
            ("nothing is loaded", seen(&[]), seen(&[]), [18, 2]),
            (
                "what ran while nobody measured is not counted",
                seen(&[(3, transmit, 500)]),
                seen(&[(3, transmit, 501)]),
                [18, 3],
            ),
        ];
        let mut samples = Samples::default();
        for (case, before, after, expected) in looks {
            samples.add(&before, &after);
            let rows = samples.rows().into_iter();
            let rows: Vec<_> = rows
                .map(|row| (row.program, row.runs, row.nanoseconds))
                .collect();
            let of = |at: usize, name: &str| (name.to_owned(), expected[at], expected[at] * 50);
            assert_eq!(rows, [of(0, receive), of(1, transmit)], "case: {case}");
        }
    }
}
