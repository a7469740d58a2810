//! What counting costs: nanoseconds a packet takes in each program, above one that does nothing.
//!
//! A thousand programs of each kind are loaded, each with a slot of its own as on a node with a
//! thousand interfaces, and one that calls any of them is run by the kernel over and over
//! (`BPF_PROG_TEST_RUN`). The kinds take turns, so that what else the machine does hits all of them.

mod contender;
mod report;

use std::time::Duration;

use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::time::{ClockId, clock_gettime};

use self::contender::{Contender, Driver};
pub use self::report::Report;
use crate::scratch::Scratch;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Programs of each kind, at most 1,000.
    pub programs: u32,
    /// Packets of each kind in one round.
    pub packets: u32,
    /// How often each kind has its turn.
    pub rounds: u32,
}

/// One kind of program, with the times of its rounds.
#[derive(Debug)]
struct Measured {
    contender: Contender,
    /// Which calls its programs.
    driver: usize,
    /// Nanoseconds a packet, round by round.
    rounds: Vec<f64>,
}

/// Measures, in a mount namespace of its own.
///
/// # Panics
/// Without the privilege to load programs (run as root).
pub fn run(plan: Plan) -> Report {
    let Plan {
        programs,
        packets,
        rounds,
    } = plan;
    let scratch = Scratch::new("bench-traffic");
    let folder = scratch.path();
    unshare(CloneFlags::CLONE_NEWNS).expect("make a mount namespace (run as root)");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .expect("keep mounts to ourselves");
    let none = MsFlags::empty();
    mount(Some("bpf"), folder, Some("bpf"), none, None::<&str>).expect("mount a bpffs");

    let mut measured: Vec<Measured> = Vec::new();
    let mut drivers: Vec<Driver> = Vec::new();
    for contender in Contender::all() {
        let same = measured.iter().find(|one| one.contender.shares(&contender));
        let driver = same.map_or(drivers.len(), |one| one.driver);
        if driver == drivers.len() {
            drivers.push(contender.load(folder, programs));
        }
        measured.push(Measured {
            contender,
            driver,
            rounds: Vec::new(),
        });
    }
    // Once for nothing: the processor is to have seen all of it.
    for round in 0..=rounds {
        for measured in &mut measured {
            let driver = drivers.get_mut(measured.driver).expect("its driver");
            let spent = packet(driver.program(), &measured.contender, packets);
            if round > 0 {
                measured.rounds.push(spent);
            }
        }
    }
    Report::new(plan, &measured)
}

/// Nanoseconds of one packet, by the processor's time of this thread: what others do in between is
/// not in it.
fn packet(driver: &SchedClassifier, contender: &Contender, packets: u32) -> f64 {
    let frame = contender.frame();
    let options = TestRunOptions {
        data_in: Some(&frame),
        repeat: packets,
        ..TestRunOptions::new()
    };
    let begun = spent();
    let ran = driver.test_run(options).expect("run the programs");
    let spent = spent().saturating_sub(begun);
    assert_eq!(
        ran.return_value,
        u32::MAX,
        "none of the programs was called"
    );
    spent.as_secs_f64() * 1e9 / f64::from(packets)
}

/// What this thread has had of the processor.
fn spent() -> Duration {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    Duration::from(now.expect("read the clock of this thread"))
}
