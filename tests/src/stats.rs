//! Percentiles of measured times.

use std::time::Duration;

/// Times of one kind, sorted.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Takes the times in any order.
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The smallest of the times that at least `percent` per cent of them do not exceed (the
    /// nearest rank); 0 stands for 1 and anything above 100 for 100. Zero when there are none.
    pub fn percentile(&self, percent: u32) -> Duration {
        let count = self.0.len();
        let percent = usize::try_from(percent.clamp(1, 100)).unwrap_or(100);
        let rank = (count * percent).div_ceil(100);
        self.0
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    /// The middle one.
    pub fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// The arithmetic mean. Zero when there are none.
    pub fn mean(&self) -> Duration {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0
            .iter()
            .sum::<Duration>()
            .checked_div(count)
            .unwrap_or_default()
    }

    /// How many times there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(times: impl IntoIterator<Item = u64>) -> Times {
        Times::new(times.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let times = millis((1..=100).rev());
        for (percent, expected) in [(0, 1), (1, 1), (50, 50), (95, 95), (99, 99), (100, 100)] {
            assert_eq!(
                times.percentile(percent),
                Duration::from_millis(expected),
                "p{percent}"
            );
        }
    }

    #[test]
    fn percentiles_of_few_times_are_times_that_were_measured() {
        let times = millis([30, 10, 20]);
        assert_eq!(times.median(), Duration::from_millis(20));
        assert_eq!(times.percentile(99), Duration::from_millis(30));
        assert_eq!(times.mean(), Duration::from_millis(20));
    }

    #[test]
    fn nothing_measured_is_zero() {
        assert_eq!(Times::default().median(), Duration::ZERO);
        assert_eq!(Times::default().mean(), Duration::ZERO);
    }
}
