//! Waiting for others, who tell nobody when they are done.

use std::time::Duration;

use berth_ipam::uptime_ms;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

/// How long one pause is.
const INTERVAL: Duration = Duration::from_millis(2);

/// Lets a moment pass, after which it is looked again.
pub(crate) fn pause() {
    // Woken early is looked again early.
    sleep(INTERVAL);
}

/// Lets all of that time pass.
pub(crate) fn wait_out(whole: Duration) {
    let begun = uptime_ms();
    let left = || {
        let passed = Duration::from_millis(uptime_ms().saturating_sub(begun));
        whole.checked_sub(passed).filter(|left| !left.is_zero())
    };
    while let Some(left) = left() {
        sleep(left);
    }
}

fn sleep(time: Duration) {
    let flags = ClockNanosleepFlags::empty();
    let _early: nix::Result<_> = clock_nanosleep(ClockId::CLOCK_MONOTONIC, flags, &time.into());
}
