//! What tells samples from each other, and since when they count.

use jiff::Timestamp;

/// Labels, written once and used for every sample of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Labels(pub(super) String);

impl Labels {
    /// These, in this order; one that is empty is as good as absent, and is written all the same.
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            labels.push(name, value);
        }
        labels
    }

    /// The same and one more.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut more = self.clone();
        more.push(name, value);
        more
    }

    fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
        escape(value, &mut self.0);
        self.0.push('"');
    }
}

/// The three characters that may not stand in a label's value as they are.
fn escape(value: &str, out: &mut String) {
    if !value.contains(['\\', '"', '\n']) {
        out.push_str(value);
        return;
    }
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

/// A time as seconds since 1970, ready to be written for every counter of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Created(pub(super) String);

impl Created {
    /// To the millisecond.
    pub(crate) fn at(time: Timestamp) -> Self {
        let millis = time.as_millisecond().max(0);
        Self(format!("{}.{:03}", millis / 1000, millis % 1000))
    }

    /// The same of seconds since 1970; what is no such number is the beginning of 1970.
    pub(crate) fn seconds(seconds: f64) -> Self {
        let seconds = if seconds > 0.0 && seconds.is_finite() {
            seconds
        } else {
            0.0
        };
        Self(format!("{seconds:.3}"))
    }
}
