//! What was measured of the allocator, for people.

use std::fmt;
use std::time::Duration;

/// What was measured at one number of callers, medians over the rounds.
#[derive(Clone, Debug, Default)]
pub struct Level {
    /// How many callers.
    pub callers: u32,
    /// Allocations a second.
    pub allocations: f64,
    /// Raw transactions a second.
    pub raw: f64,
    /// Median time of an allocation.
    pub median: Duration,
    /// Requests that etcd answered for each allocation.
    pub requests: f64,
}

/// Everything measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One line for each number of callers.
    pub levels: Vec<Level>,
    /// Median times of opening the store and asking it once: in the clear, and by TLS with client
    /// certificates.
    pub connect: [Duration; 2],
    /// How many addresses were held for the next two.
    pub held: u32,
    /// Median time of an allocation by one caller, with none held and with that many.
    pub medians: [Duration; 2],
    /// Bytes of etcd's database for each address held, after compaction and defragmentation.
    pub bytes: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| callers | allocations/s | raw/s | ratio | p50 (ms) | requests each |"
        )?;
        writeln!(f, "|---:|---:|---:|---:|---:|---:|")?;
        for level in &self.levels {
            let Level {
                callers,
                allocations,
                raw,
                median,
                requests,
            } = level;
            let (ratio, p50) = (allocations / raw, ms(*median));
            writeln!(
                f,
                "| {callers} | {allocations:.0} | {raw:.0} | {ratio:.2} | {p50:.2} | {requests:.2} |"
            )?;
        }
        let (held, [none, many]) = (self.held, self.medians.map(ms));
        let [clear, certified] = self.connect.map(ms);
        writeln!(f)?;
        writeln!(
            f,
            "- connection set-up and one answer: {clear:.2} ms; by TLS with client certificates: {certified:.2} ms"
        )?;
        writeln!(
            f,
            "- p50 of one caller: {none:.2} ms; with {held} held: {many:.2} ms, ratio {:.2}",
            many / none
        )?;
        writeln!(
            f,
            "- etcd's database for each address held: {:.0} bytes",
            self.bytes
        )
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
