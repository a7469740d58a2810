//! A reader of both text forms, written from their specifications and not from the writer: whatever
//! they do not allow is a panic.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a sample.
pub(crate) type Labels = BTreeMap<String, String>;

/// An exposition as it was understood.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// Type, unit and help, by family.
    pub(crate) families: BTreeMap<String, Described>,
    /// The number of each sample, as it was written.
    pub(crate) samples: BTreeMap<(String, Labels), String>,
}

/// What is said of a family.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) help: String,
}

impl Parsed {
    /// The number of the one sample of this name with at least these labels.
    pub(crate) fn number<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> &'a str {
        let of: Vec<_> = self.of(name, labels).collect();
        assert_eq!(of.len(), 1, "{name} {labels:?}: {of:?}");
        of[0].1
    }

    /// Whether there is any sample of this name with at least these labels.
    pub(crate) fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.of(name, labels).next().is_some()
    }

    /// The sum over all samples of this name with at least these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let of = self.of(name, labels);
        of.map(|(_, number)| {
            number
                .parse::<u64>()
                .unwrap_or_else(|e| panic!("{number}: {e}"))
        })
        .sum()
    }

    pub(crate) fn of<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = (&'a Labels, &'a str)> {
        let fits = |of: &Labels| {
            labels
                .iter()
                .all(|(k, v)| of.get(*k).is_some_and(|w| w == v))
        };
        let named = self.samples.iter().filter(move |((of, _), _)| of == name);
        named
            .filter(move |((_, of), _)| fits(of))
            .map(|((_, of), number)| (of, number.as_str()))
    }
}

/// Reads `OpenMetrics` 1.0.
pub(crate) fn open_metrics(text: &str) -> Parsed {
    let body = text.strip_suffix("# EOF\n").expect("the end is marked");
    let parsed = parse(body);
    for (name, described) in &parsed.families {
        if !described.unit.is_empty() {
            assert!(
                name.ends_with(&format!("_{}", described.unit)),
                "unit of {name}"
            );
        }
        assert!(
            ["counter", "gauge", "info", "histogram", "summary"].contains(&described.kind.as_str()),
            "{name}: {described:?}"
        );
    }
    for ((name, labels), number) in &parsed.samples {
        let (family, suffix) = family_of(&parsed, name, |kind| match kind {
            "counter" => &["_total", "_created"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count", "_created"],
            _ => &[""],
        });
        let bounded = suffix == "_bucket";
        assert_eq!(labels.contains_key("le"), bounded, "{name} {labels:?}");
        if parsed.families[family].kind == "counter" || suffix == "_created" {
            assert!(
                !number.starts_with('-') && number != "NaN",
                "{name} {number}"
            );
        }
        if suffix == "_info" {
            assert_eq!(number, "1", "{name}");
        }
    }
    parsed
}

/// Reads the text format 0.0.4.
pub(crate) fn plain(text: &str) -> Parsed {
    assert!(!text.contains("# EOF") && !text.contains("# UNIT") && !text.contains("_created"));
    let parsed = parse(text);
    for (name, _) in parsed.samples.keys() {
        family_of(&parsed, name, |kind| match kind {
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        });
    }
    parsed
}

/// The family that a sample belongs to: exactly one.
fn family_of<'a>(
    parsed: &'a Parsed,
    sample: &str,
    suffixes: fn(&str) -> &'static [&'static str],
) -> (&'a str, &'static str) {
    let mut found = Vec::new();
    for (name, described) in &parsed.families {
        for suffix in suffixes(&described.kind) {
            if sample.strip_suffix(suffix) == Some(name) {
                found.push((name.as_str(), *suffix));
            }
        }
    }
    assert_eq!(found.len(), 1, "{sample} is of {found:?}");
    found[0]
}

fn parse(body: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let (mut current, mut done) = (String::new(), BTreeSet::new());
    assert!(body.is_empty() || body.ends_with('\n'));
    for line in body.split_terminator('\n') {
        if let Some(comment) = line.strip_prefix("# ") {
            let [what, name, text]: [&str; 3] = comment
                .splitn(3, ' ')
                .collect::<Vec<_>>()
                .try_into()
                .expect(line);
            if name != current {
                done.insert(std::mem::replace(&mut current, name.to_owned()));
                assert!(!done.contains(name), "{name} is begun twice");
            }
            let described = parsed.families.entry(name.to_owned()).or_default();
            match what {
                "TYPE" => text.clone_into(&mut described.kind),
                "UNIT" => text.clone_into(&mut described.unit),
                "HELP" => text.clone_into(&mut described.help),
                other => panic!("{other} in {line}"),
            }
            continue;
        }
        let (name, labels, number) = sample(line);
        assert!(name.starts_with(&current), "{line} is not of {current}");
        let twice = parsed.samples.insert((name, labels), number.to_owned());
        assert_eq!(twice, None, "a sample is there twice: {line}");
    }
    parsed
}

fn sample(line: &str) -> (String, Labels, &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = line.find(|c| !is_name(c)).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(
        !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()),
        "{line}"
    );
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").expect(line);
            assert!(
                label.chars().all(|c| is_name(c) && c != ':') && !label.is_empty(),
                "{line}"
            );
            let (value, after) = quoted(after);
            assert_eq!(
                labels.insert(label.to_owned(), value),
                None,
                "{label} twice: {line}"
            );
            let Some(more) = after.strip_prefix(',') else {
                rest = after.strip_prefix('}').expect(line);
                break;
            };
            rest = more;
        }
    }
    let number = rest.strip_prefix(' ').expect(line);
    let is_number = number.parse::<f64>().is_ok() && !number.contains(' ');
    assert!(is_number, "{line}");
    (name.to_owned(), labels, number)
}

/// The text up to the closing quote, and what follows that.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, text.split_at(at + 1).1),
            '\\' => match characters.next().expect("something is escaped").1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                other => panic!("\\{other} is no escape"),
            },
            other => value.push(other),
        }
    }
    panic!("no closing quote: {text}")
}
