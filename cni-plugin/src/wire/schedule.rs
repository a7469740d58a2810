//! When to ask, and for how long to listen: the timing of RFC 5227 §2.1.1 shortened, as its §2.2
//! allows on networks that are faster than those of its time.

/// When a question is asked, in milliseconds after the first moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    at_ms: [u64; Self::TIMES],
}

impl Schedule {
    /// How often it is asked.
    pub const TIMES: usize = 3;
    /// For how long is listened after the last time, in milliseconds.
    const LISTEN_MS: u64 = 90;

    /// A moment of up to 20 ms first, and from one time to the next 70 to 90 ms, as the random bytes
    /// say: nodes that start at once do not ask at once.
    pub fn new(random: [u8; Self::TIMES]) -> Self {
        let mut at = 0;
        let mut least = 0;
        let at_ms = random.map(|byte| {
            at += least + u64::from(byte) * 20 / u64::from(u8::MAX);
            least = 70;
            at
        });
        Self { at_ms }
    }

    /// How many times it has been due `after_ms` milliseconds.
    pub fn due(&self, after_ms: u64) -> usize {
        self.at_ms.iter().filter(|at| **at <= after_ms).count()
    }

    /// For how many milliseconds there is nothing to do but to listen; `None` when it is over.
    pub fn wait(&self, after_ms: u64) -> Option<u64> {
        let end = self.end_ms();
        let next = self.at_ms.iter().copied().chain([end]);
        let mut later = next.filter(|at| *at > after_ms);
        later.next().map(|at| at - after_ms)
    }

    /// When it is over.
    pub fn end_ms(&self) -> u64 {
        let last = self.at_ms.iter().max().copied().unwrap_or(0);
        last + Self::LISTEN_MS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_asks_three_times_and_is_over_within_300_ms(random: [u8; 3]) {
            let schedule = Schedule::new(random);
            prop_assert!(schedule.end_ms() <= 300);
            let (mut now, mut turns) = (0, 0);
            while let Some(wait) = schedule.wait(now) {
                prop_assert!(wait > 0);
                now += wait;
                turns += 1;
                prop_assert!(turns <= 4, "it ends");
            }
            prop_assert_eq!((now, schedule.due(now)), (schedule.end_ms(), 3));
            let due = |ms| schedule.due(ms);
            prop_assert!(due(20) >= 1 && due(69) <= 1 && due(139) <= 2);
        }
    }

    #[test]
    fn a_late_caller_is_told_at_once_what_was_due() {
        let schedule = Schedule::new([0; 3]);
        assert_eq!((schedule.due(0), schedule.wait(0)), (1, Some(70)));
        assert_eq!((schedule.due(150), schedule.wait(1000)), (3, None));
    }
}
