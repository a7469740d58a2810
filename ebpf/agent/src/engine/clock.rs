//! The one place that reads a clock.

use std::time::Duration;

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

use super::Moment;

/// This moment.
pub fn now() -> Moment {
    let uptime = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
    Moment {
        time: Timestamp::now(),
        uptime,
    }
}
