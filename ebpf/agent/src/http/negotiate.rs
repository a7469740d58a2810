//! What a client says it can read.

use crate::export::Format;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Packing {
    /// As it is.
    Plain,
    /// By gzip.
    Gzip,
}

/// The form of the exposition for a header `Accept`: `OpenMetrics` where it is asked for and not
/// liked less than plain text, which everybody can read.
pub fn format(accept: &str) -> Format {
    let mut open_metrics = 0;
    let mut plain = None;
    let mut anything = 0;
    for range in ranges(accept) {
        let Range {
            name,
            quality,
            version,
        } = range;
        match name.as_str() {
            // Without a version it is the first one.
            "application/openmetrics-text"
                if version
                    .as_deref()
                    .is_none_or(|v| v == "1.0.0" || v == "0.0.1") =>
            {
                open_metrics = open_metrics.max(quality);
            }
            "text/plain" => plain = plain.max(Some(quality)),
            "*/*" | "text/*" => anything = anything.max(quality),
            _ => {}
        }
    }
    if open_metrics > 0 && open_metrics >= plain.unwrap_or(anything) {
        Format::OpenMetrics
    } else {
        Format::Plain
    }
}

/// How to pack the body for a header `Accept-Encoding`.
pub fn packing(accept_encoding: &str) -> Packing {
    let mut gzip = None;
    let mut anything = 0;
    for Range { name, quality, .. } in ranges(accept_encoding) {
        match name.as_str() {
            "gzip" | "x-gzip" => gzip = gzip.max(Some(quality)),
            "*" => anything = quality,
            _ => {}
        }
    }
    if gzip.unwrap_or(anything) > 0 {
        Packing::Gzip
    } else {
        Packing::Plain
    }
}

/// One thing that can be read, and how well it is liked, in thousandths.
struct Range {
    name: String,
    quality: u32,
    version: Option<String>,
}

/// More is no client of ours.
const MOST_RANGES: usize = 32;

fn ranges(header: &str) -> impl Iterator<Item = Range> {
    header.split(',').take(MOST_RANGES).map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1000, None);
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match key.trim().to_ascii_lowercase().as_str() {
                "q" => quality = thousandths(value),
                "version" => version = Some(value.to_owned()),
                _ => {}
            }
        }
        Range {
            name,
            quality,
            version,
        }
    })
}

/// `0.5` is 500; what is no number is not liked at all.
fn thousandths(value: &str) -> u32 {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let digits = part.bytes().chain(std::iter::repeat(b'0')).take(3);
    let mut number = match whole {
        "0" => 0,
        "1" => 1,
        _ => return 0,
    };
    for digit in digits {
        if !digit.is_ascii_digit() {
            return 0;
        }
        number = number * 10 + u32::from(digit - b'0');
    }
    number.min(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_that_is_asked_for() {
        // What Prometheus 2.42 and 3 send, what a browser and curl send, and corners.
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let cases = [
            (prometheus_2, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Plain),
            ("*/*", Format::Plain),
            ("", Format::Plain),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text; version=2.0.0", Format::Plain),
            (
                "application/openmetrics-text;q=0.1, text/plain",
                Format::Plain,
            ),
            ("application/openmetrics-text;q=0", Format::Plain),
            ("application/openmetrics-text;q=x", Format::Plain),
        ];
        for (accept, expected) in cases {
            assert_eq!(format(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn only_who_takes_gzip_gets_it() {
        let cases = [
            ("gzip", Packing::Gzip),
            ("deflate, gzip;q=0.5, br", Packing::Gzip),
            ("*", Packing::Gzip),
            ("*;q=0", Packing::Plain),
            ("gzip;q=0, *", Packing::Plain),
            ("gzip;q=0.000", Packing::Plain),
            ("identity", Packing::Plain),
            ("", Packing::Plain),
        ];
        for (accept, expected) in cases {
            assert_eq!(packing(accept), expected, "{accept:?}");
        }
    }
}
