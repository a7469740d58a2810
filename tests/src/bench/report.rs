//! The figures, and the table they are printed as.

use std::fmt;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::Plan;
use super::limits::Limits;
use crate::plugin::Reply;
use crate::stats::Times;

/// What was measured of one contender. Times are in microseconds in JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// What people call it.
    pub name: String,
    /// Wall time of each ADD, one after the other.
    #[serde(with = "micros")]
    pub add: Vec<Duration>,
    /// CPU time of each of these, user and system, delegated plugins included.
    #[serde(with = "micros")]
    pub add_cpu: Vec<Duration>,
    /// Wall time of each DEL, one after the other.
    #[serde(with = "micros")]
    pub del: Vec<Duration>,
    /// CPU time of each of these.
    #[serde(with = "micros")]
    pub del_cpu: Vec<Duration>,
    /// Wall time of each round of ADDs at once, from the first start to the last end.
    #[serde(with = "micros")]
    pub adds_at_once: Vec<Duration>,
    /// CPU time per ADD in each of these rounds.
    #[serde(with = "micros")]
    pub adds_at_once_cpu: Vec<Duration>,
    /// Wall time of each round of DELs at once.
    #[serde(with = "micros")]
    pub dels_at_once: Vec<Duration>,
}

impl Figures {
    /// Nothing measured yet.
    pub fn new(name: &str) -> Self {
        let none = Vec::new;
        Self {
            name: name.to_owned(),
            add: none(),
            add_cpu: none(),
            del: none(),
            del_cpu: none(),
            adds_at_once: none(),
            adds_at_once_cpu: none(),
            dels_at_once: none(),
        }
    }

    /// Takes in an ADD and the DEL after it.
    pub fn count_call(&mut self, added: &Reply, deleted: &Reply) {
        self.add.push(added.elapsed);
        self.add_cpu.push(added.cpu);
        self.del.push(deleted.elapsed);
        self.del_cpu.push(deleted.cpu);
    }

    /// Takes in a round of ADDs at once and of the DELs after it, each with its wall time.
    pub fn count_round(&mut self, added: (Duration, &[Reply]), deleted: (Duration, &[Reply])) {
        let (add_wall, adds) = added;
        let (del_wall, _) = deleted;
        self.adds_at_once.push(add_wall);
        self.adds_at_once_cpu
            .push(Times::new(adds.iter().map(|add| add.cpu).collect()).mean());
        self.dels_at_once.push(del_wall);
    }
}

/// Everything measured, and where.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Cores and kernel.
    machine: String,
    calls: u8,
    at_once: u8,
    rounds: u8,
    /// The reference first.
    contenders: Vec<Figures>,
    floor: [Figures; 2],
    /// How near traffic came to its limits, where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Limits>,
}

/// One line of the table: what it is called, and how it is read from the figures.
struct Row(String, fn(&Figures) -> Duration);

impl Report {
    /// Puts the figures together with a description of the machine.
    pub fn new(plan: Plan, contenders: Vec<Figures>, floor: [Figures; 2]) -> Self {
        let Plan {
            whom: _,
            calls,
            at_once,
            rounds,
        } = plan;
        Self {
            machine: machine(),
            calls,
            at_once,
            rounds,
            contenders,
            floor,
            limits: None,
        }
    }

    /// The same with how near traffic came to its limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    fn rows(&self) -> Vec<Row> {
        let at_once = self.at_once;
        let row = |name: &str, read| Row(name.to_owned(), read);
        vec![
            row("ADD p50", |f| times(&f.add).median()),
            row("ADD p95", |f| times(&f.add).percentile(95)),
            row("ADD p99", |f| times(&f.add).percentile(99)),
            row("CPU per ADD (median)", |f| times(&f.add_cpu).median()),
            row("DEL p50", |f| times(&f.del).median()),
            row("DEL p95", |f| times(&f.del).percentile(95)),
            row("DEL p99", |f| times(&f.del).percentile(99)),
            row("CPU per DEL (median)", |f| times(&f.del_cpu).median()),
            Row(format!("{at_once} ADDs at once (median)"), |f| {
                times(&f.adds_at_once).median()
            }),
            Row(format!("CPU per ADD, {at_once} at once"), |f| {
                times(&f.adds_at_once_cpu).median()
            }),
            Row(format!("{at_once} DELs at once (median)"), |f| {
                times(&f.dels_at_once).median()
            }),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((reference, others)) = self.contenders.split_first() else {
            return Ok(());
        };
        write!(f, "| | {} |", reference.name)?;
        for other in others {
            write!(f, " {} | ratio |", other.name)?;
        }
        writeln!(f, "\n|---|--:|{}", "--:|--:|".repeat(others.len()))?;
        for Row(name, read) in self.rows() {
            let base = read(reference);
            write!(f, "| {name} | {} |", Millis(base))?;
            for other in others {
                let time = read(other);
                write!(
                    f,
                    " {} | {:.2} |",
                    Millis(time),
                    time.div_duration_f64(base)
                )?;
            }
            writeln!(f)?;
        }
        let [empty, link] = &self.floor;
        writeln!(
            f,
            "\nThe floor: {} takes {} (CPU {}); {} take {} and {}.",
            empty.name,
            Millis(times(&empty.add).median()),
            Millis(times(&empty.add_cpu).median()),
            link.name,
            Millis(times(&link.add).median()),
            Millis(times(&link.del).median()),
        )?;
        writeln!(
            f,
            "{} calls in turn one after the other, {} rounds at once; no failure, no address \
             twice, nothing left behind.",
            self.calls, self.rounds
        )?;
        if cfg!(debug_assertions) {
            writeln!(
                f,
                "THIS IS A DEBUG BUILD: its figures mean nothing, run it with --release."
            )?;
        }
        if let Some(limits) = &self.limits {
            writeln!(f, "\n{limits}")?;
        }
        writeln!(f, "{}", self.machine)
    }
}

/// A time in milliseconds, with three digits that mean something.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_secs_f64() * 1000.0;
        let digits = if millis < 10.0 {
            2
        } else {
            usize::from(millis < 100.0)
        };
        write!(f, "{millis:.digits$} ms")
    }
}

fn times(measured: &[Duration]) -> Times {
    Times::new(measured.to_vec())
}

fn machine() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("Machine: {cores} cores, {model}, Linux {}.", kernel.trim())
}

/// Durations as whole microseconds.
mod micros {
    use std::time::Duration;

    use serde::Serializer;

    pub(super) fn serialize<S: Serializer>(
        times: &[Duration],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(times.iter().map(Duration::as_micros))
    }
}
