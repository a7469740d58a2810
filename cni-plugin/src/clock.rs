//! Waiting for others, who tell nobody when they are done.

use std::time::Duration;

use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

/// How long one pause is, in milliseconds.
const INTERVAL_MS: u64 = 2;

/// Lets a moment pass, after which it is looked again.
pub(crate) fn pause() {
    let interval = Duration::from_millis(INTERVAL_MS).into();
    // Woken early is looked again early.
    let _early: nix::Result<_> = clock_nanosleep(
        ClockId::CLOCK_MONOTONIC,
        ClockNanosleepFlags::empty(),
        &interval,
    );
}
