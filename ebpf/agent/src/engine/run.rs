//! When what is done.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Engine, Moment};
use crate::kernel::hooks::Hooks;
use crate::kernel::removals::Removals;
use crate::ledger::Store;
use crate::observe::{self, Watch};

/// How long nothing is looked at when nothing changes.
const TICK: Duration = Duration::from_millis(500);
/// How often everything is looked at, changed or not.
const SWEEP: Duration = Duration::from_secs(5);
/// How often devices are compared with our counters.
const AUDIT: Duration = Duration::from_mins(1);

/// Whether the loop is to end.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// One that nobody has asked for.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Asks for it. A signal handler may.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Keeps everything counted until `stop`. `each` is called after every round.
pub fn run<S: Store, H: Hooks>(
    engine: &mut Engine<S, H>,
    run_dir: &Path,
    stop: &Stop,
    clock: fn() -> Moment,
    each: &mut dyn FnMut(Moment),
) {
    let mut watch = Watch::default();
    // Without it, the audit finds what is removed.
    let removals = Removals::listen().ok();
    let mut audited = None;
    let is_due = |last: Option<Duration>, every, now: Moment| {
        last.is_none_or(|last| now.uptime.saturating_sub(last) >= every)
    };
    let stopped = || stop.is_asked();
    while !stop.is_asked() {
        // Before the look: what changes from here on is heard of.
        watch.set(run_dir);
        let now = clock();
        let found = observe::read(run_dir);
        if let Err(error) = engine.pass(&found, now, &stopped) {
            engine.shared.notes().troubles.map_failed(&error);
        }
        let swept = Some(now.uptime);
        if is_due(audited, AUDIT, now) {
            engine.audit(&stopped);
            audited = Some(now.uptime);
        }
        each(now);
        loop {
            let mut changed = watch.wait(TICK) || engine.is_restless();
            if let Some(removals) = &removals {
                changed |= engine.check(&removals.heard());
            }
            let now = clock();
            if engine.poll_devices().is_err()
                || changed
                || stop.is_asked()
                || is_due(swept, SWEEP, now)
            {
                break;
            }
            each(now);
        }
    }
}
