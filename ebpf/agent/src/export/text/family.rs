//! What is said of a metric before its samples.

/// What kind of numbers a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Never goes back for one time of creation.
    Counter,
    /// Goes anywhere.
    Gauge,
    /// Always 1: its labels are what it says.
    Info,
    /// Buckets.
    Histogram,
    /// Quantiles.
    Summary,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// Its name without `_total` or `_info`.
    pub(crate) name: &'static str,
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its unit where the name ends in it, else empty.
    pub(crate) unit: &'static str,
    /// What it means; without quotes, backslashes and line ends.
    pub(crate) help: &'static str,
}

impl Family {
    /// A counter.
    pub(crate) const fn counter(
        name: &'static str,
        unit: &'static str,
        help: &'static str,
    ) -> Self {
        let kind = Kind::Counter;
        Self {
            name,
            kind,
            unit,
            help,
        }
    }

    /// A gauge.
    pub(crate) const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        let kind = Kind::Gauge;
        Self {
            name,
            kind,
            unit,
            help,
        }
    }

    /// An info.
    pub(crate) const fn info(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Info;
        Self {
            name,
            kind,
            unit: "",
            help,
        }
    }
}

impl Kind {
    pub(super) const fn open_metrics(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }

    pub(super) const fn plain(self) -> &'static str {
        match self {
            Self::Info => "gauge",
            other => other.open_metrics(),
        }
    }

    /// What the name of a sample ends in.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram | Self::Summary => "",
        }
    }
}
