//! The text of an exposition, in both its forms.
//!
//! Written here and not by the crate `prometheus-client`: that knows no `_created`, has no plain
//! form, and encodes every label anew for every sample of a row.

mod family;
mod labels;

use std::fmt::{Display, Write as _};

pub(crate) use self::family::{Family, Kind};
pub(crate) use self::labels::{Created, Labels};

/// Which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// The older text format of Prometheus, 0.0.4.
    Plain,
}

impl Format {
    /// The media type of a body in it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// An exposition that is being written.
#[derive(Debug)]
pub(crate) struct Text {
    out: String,
    format: Format,
    name: &'static str,
    kind: Kind,
    series: usize,
}

impl Text {
    /// Begins one, with room for so many bytes.
    pub(crate) fn new(format: Format, room: usize) -> Self {
        Self {
            out: String::with_capacity(room),
            format,
            name: "",
            kind: Kind::Gauge,
            series: 0,
        }
    }

    /// How many samples and bytes there are so far; the lines `_created` are no samples.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.series, self.out.len())
    }

    /// The whole of it.
    pub(crate) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    /// Begins a family: whatever follows is of it. A family is begun once.
    pub(crate) fn family(&mut self, family: &Family) {
        let Family {
            name,
            kind,
            unit,
            help,
        } = *family;
        (self.name, self.kind) = (name, kind);
        let (told, kind_name) = match (self.format, kind) {
            (Format::OpenMetrics, _) => ("", kind.open_metrics()),
            (Format::Plain, _) => (kind.suffix(), kind.plain()),
        };
        // Writing to a String cannot fail.
        let mut written = writeln!(self.out, "# HELP {name}{told} {help}");
        written = written.and(writeln!(self.out, "# TYPE {name}{told} {kind_name}"));
        if self.format == Format::OpenMetrics && !unit.is_empty() {
            written = written.and(writeln!(self.out, "# UNIT {name} {unit}"));
        }
        debug_assert_eq!(written, Ok(()));
    }

    /// One sample of a counter, gauge or info.
    pub(crate) fn sample(&mut self, labels: &Labels, value: impl Display) {
        self.line(self.kind.suffix(), labels, ("", ""), value);
        self.series += 1;
    }

    /// The same with one label more, whose value needs no escaping.
    pub(crate) fn sample_of(&mut self, labels: &Labels, of: (&str, &str), value: impl Display) {
        self.line(self.kind.suffix(), labels, of, value);
        self.series += 1;
    }

    /// A sample of a counter, and since when it counts.
    pub(crate) fn count(
        &mut self,
        labels: &Labels,
        of: (&str, &str),
        at: (impl Display, &Created),
    ) {
        let (value, created) = at;
        self.line("_total", labels, of, value);
        self.series += 1;
        self.created(labels, of, created);
    }

    /// A bucket, the sum or the count of a histogram, as `suffix` says.
    pub(crate) fn part(&mut self, suffix: &str, labels: &Labels, value: impl Display) {
        self.line(suffix, labels, ("", ""), value);
        self.series += 1;
    }

    /// Since when the metric of these labels counts: only where the form has a place for it.
    pub(crate) fn created(&mut self, labels: &Labels, of: (&str, &str), created: &Created) {
        if self.format == Format::OpenMetrics {
            self.line("_created", labels, of, &created.0);
        }
    }

    fn line(&mut self, suffix: &str, labels: &Labels, of: (&str, &str), value: impl Display) {
        let out = &mut self.out;
        out.push_str(self.name);
        out.push_str(suffix);
        if !labels.0.is_empty() || !of.0.is_empty() {
            out.push('{');
            out.push_str(&labels.0);
            if !of.0.is_empty() {
                out.push_str(if labels.0.is_empty() { "" } else { "," });
                for part in [of.0, "=\"", of.1, "\""] {
                    out.push_str(part);
                }
            }
            out.push('}');
        }
        // Writing to a String cannot fail.
        let written = writeln!(out, " {value}");
        debug_assert_eq!(written, Ok(()));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const BYTES: Family = Family::counter("x_bytes", "bytes", "Some.");
    const NOTE: Family = Family::info("x", "Who.");

    fn written(format: Format) -> String {
        let mut text = Text::new(format, 0);
        let created = Created::at("2026-03-01T12:00:00.25Z".parse().unwrap());
        text.family(&BYTES);
        text.count(&Labels::of(&[("a", "1")]), ("b", "2"), (u64::MAX, &created));
        text.family(&NOTE);
        text.sample(&Labels::default(), 1);
        text.finish()
    }

    #[test]
    fn open_metrics_has_the_unit_the_time_of_creation_and_an_end() {
        let expected = "# HELP x_bytes Some.\n# TYPE x_bytes counter\n# UNIT x_bytes bytes\n\
            x_bytes_total{a=\"1\",b=\"2\"} 18446744073709551615\n\
            x_bytes_created{a=\"1\",b=\"2\"} 1772366400.250\n\
            # HELP x Who.\n# TYPE x info\nx_info 1\n# EOF\n";
        assert_eq!(written(Format::OpenMetrics), expected);
    }

    #[test]
    fn the_plain_form_names_what_it_describes_as_it_is_sampled() {
        let expected = "# HELP x_bytes_total Some.\n# TYPE x_bytes_total counter\n\
            x_bytes_total{a=\"1\",b=\"2\"} 18446744073709551615\n\
            # HELP x_info Who.\n# TYPE x_info gauge\nx_info 1\n";
        assert_eq!(written(Format::Plain), expected);
    }

    #[test]
    fn case_52_what_a_label_may_not_hold_is_escaped_and_nothing_else() {
        let labels = Labels::of(&[("a", "q\"b\\n\nü\t{}")]);
        assert_eq!(labels.0, "a=\"q\\\"b\\\\n\\nü\t{}\"");
    }

    #[test]
    fn case_53_a_clock_before_1970_gives_no_negative_time() {
        assert_eq!(Created::at(Timestamp::MIN).0, "0.000");
    }
}
