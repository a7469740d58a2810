//! Medians and what is around them.

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

/// Figures of one kind, sorted. Of none, all is NaN.
#[derive(Debug, Clone, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Takes the figures in any order.
    pub fn new(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures = Vec::from_iter(figures);
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    /// The middle one, or the lower of the two in the middle.
    pub fn median(&self) -> f64 {
        self.at(self.middle())
    }

    /// What a quarter is below, and what a quarter is above.
    pub fn quartiles(&self) -> [f64; 2] {
        [1, 3].map(|quarter| self.at(self.0.len() * quarter / 4))
    }

    /// What the median is in with 95 % confidence whatever the distribution: by order statistics,
    /// 1.96 standard deviations of as many throws of a coin from the middle.
    pub fn interval(&self) -> [f64; 2] {
        let mut far = 0;
        // The first that is not below 0.98 × √n.
        while 10_000 * far * far < 9604 * self.0.len() {
            far += 1;
        }
        let middle = self.middle();
        [middle.saturating_sub(far), middle + far].map(|rank| self.at(rank))
    }

    const fn middle(&self) -> usize {
        self.0.len().saturating_sub(1) / 2
    }

    /// The last, for a rank behind it.
    fn at(&self, rank: usize) -> f64 {
        let found = self.0.get(rank).or_else(|| self.0.last());
        found.copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_a_few_is_one_of_them() {
        for (figures, expected) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0], 1.0)] {
            let median = Figures::new(figures.iter().copied()).median();
            assert!((median - expected).abs() < f64::EPSILON, "{figures:?}");
        }
        assert!(Figures::default().median().is_nan());
    }

    #[test]
    fn the_interval_is_that_of_the_sign_test() {
        let figures = |n: u32| Figures::new((1..=n).map(f64::from));
        // Conover's table for n = 21 has 6 and 16; the approximation is no narrower.
        for (n, expected) in [(21, ["6", "16"]), (1, ["1", "1"])] {
            let interval = figures(n).interval().map(|value| format!("{value:.0}"));
            assert_eq!(interval, expected, "of {n}");
        }
        let quartiles = figures(8).quartiles().map(|value| format!("{value:.0}"));
        assert_eq!(quartiles, ["3", "7"]);
    }

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
