//! The two clocks: one for people, one for ages.

use std::time::Duration;

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The time of day, for people.
    pub(crate) wall: Timestamp,
    /// Milliseconds since boot, sleep included.
    pub(crate) uptime_ms: u64,
}

impl Clock {
    /// `wall`, and the uptime of right now.
    pub(crate) fn at(wall: Timestamp) -> Self {
        Self {
            wall,
            uptime_ms: uptime_ms(),
        }
    }

    /// The uptime at `then`; `None` before this boot. A moment yet to come counts as now, since
    /// clocks of several nodes differ.
    pub(crate) fn uptime_of(self, then: Timestamp) -> Option<u64> {
        let ago = self.wall.as_millisecond() - then.as_millisecond();
        self.uptime_ms.checked_sub(u64::try_from(ago).unwrap_or(0))
    }
}

/// Milliseconds since boot, sleep included; the same for every process of the machine.
pub fn uptime_ms() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME);
    now.map_or(0, |now| {
        u64::try_from(Duration::from(now).as_millis()).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_same_on_both_clocks() {
        let wall: Timestamp = "2026-11-20T03:14:00Z".parse().unwrap();
        let clock = Clock {
            wall,
            uptime_ms: 10_000,
        };
        let second = |s: i64| Timestamp::from_second(wall.as_second() + s).unwrap();
        assert_eq!(clock.uptime_of(wall), Some(10_000));
        assert_eq!(clock.uptime_of(second(-4)), Some(6000));
        assert_eq!(clock.uptime_of(second(-11)), None, "before this boot");
        assert_eq!(clock.uptime_of(second(60)), Some(10_000), "another's clock");
    }
}
