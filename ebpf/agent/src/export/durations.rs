//! How long collecting takes, as a histogram.

use std::time::Duration;

use super::text::{Created, Labels, Text};

/// The upper bounds, in milliseconds, and as labels.
const BOUNDS: [(u64, &str); 9] = [
    (1, "0.001"),
    (5, "0.005"),
    (10, "0.01"),
    (25, "0.025"),
    (50, "0.05"),
    (100, "0.1"),
    (500, "0.5"),
    (1_000, "1.0"),
    (5_000, "5.0"),
];

/// Durations so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations {
    /// How many were at most so long; each is in all that follow as well.
    below: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

impl Durations {
    /// Adds one.
    pub(crate) fn add(&mut self, took: Duration) {
        for (below, (bound, _)) in self.below.iter_mut().zip(BOUNDS) {
            *below += u64::from(took <= Duration::from_millis(bound));
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// Writes the samples of the family that was begun.
    pub(crate) fn write(&self, text: &mut Text, started: &Created) {
        let none = Labels::default();
        for (below, (_, bound)) in self.below.iter().zip(BOUNDS) {
            text.part("_bucket", &Labels::of(&[("le", bound)]), below);
        }
        text.part("_bucket", &Labels::of(&[("le", "+Inf")]), self.count);
        let (whole, rest) = (self.sum.as_secs(), self.sum.subsec_micros());
        text.part("_sum", &none, format_args!("{whole}.{rest:06}"));
        text.part("_count", &none, self.count);
        text.created(&none, ("", ""), started);
    }
}
