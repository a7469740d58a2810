//! Tables that read the same on a terminal and on a pipe.

use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use jiff::{Timestamp, Unit};

use super::Row;

/// A column's heading, with its unit where it has one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heading {
    /// Words, aligned to the left.
    Text(&'static str),
    /// Numbers, aligned to the right.
    Number(&'static str),
}

/// The text of one cell: one word, so that columns stay apart for `awk` and for the eye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell(String);

/// A cell of `text`; what is absent or empty is `-`.
///
/// Text with white space or control characters in it, or that could be taken for an absent one,
/// is quoted and escaped.
pub(crate) fn cell(text: impl Into<Cell>) -> Cell {
    text.into()
}

impl Cell {
    fn of(text: &str) -> Self {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"';
        match text {
            "" => Self("-".to_owned()),
            "-" => Self("\"-\"".to_owned()),
            text if text.chars().all(plain) => Self(text.to_owned()),
            text => Self(format!("{text:?}")),
        }
    }

    /// The cell of our own words, at the end of a line.
    pub(crate) fn sentence(words: &str) -> Self {
        let on_one_line = words.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self(on_one_line.collect())
    }

    /// The cell of anything that prints as one word.
    pub(crate) fn show(value: impl fmt::Display) -> Self {
        Self::of(&value.to_string())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::of(text)
    }
}

impl From<Option<&str>> for Cell {
    fn from(text: Option<&str>) -> Self {
        Self::of(text.unwrap_or_default())
    }
}

/// A number in full, unless it is too large to mean anything.
impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self(amount(number))
    }
}

impl From<Option<u64>> for Cell {
    fn from(number: Option<u64>) -> Self {
        number.map_or_else(|| Self::of(""), Self::from)
    }
}

/// How many there are, for people: an IPv6 subnet has more than anybody wants to read.
pub(crate) fn amount(number: u64) -> String {
    if number > 1 << 40 {
        format!("~2^{}", u64::BITS - (number - 1).leading_zeros())
    } else {
        number.to_string()
    }
}

/// As [`amount`], with the word for an address.
pub(crate) fn addresses(number: u64) -> String {
    match number {
        1 => "1 address".to_owned(),
        number => format!("{} addresses", amount(number)),
    }
}

/// To the second; JSON has the whole of it.
impl From<Option<Timestamp>> for Cell {
    fn from(time: Option<Timestamp>) -> Self {
        let time = time.map(|time| time.round(Unit::Second).unwrap_or(time));
        time.map_or_else(|| Self::of(""), Self::show)
    }
}

/// `rows` under their headings, each line with its newline.
pub(crate) fn of<R: Row>(rows: &[R]) -> String {
    lines(R::HEADINGS, rows.iter().map(Row::cells))
}

fn lines(headings: &[Heading], rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let names = headings.iter().map(|heading| match heading {
        Heading::Text(name) | Heading::Number(name) => *name,
    });
    table.set_header(names);
    for cells in rows {
        table.add_row(cells.into_iter().map(|Cell(text)| text));
    }
    for (column, heading) in table.column_iter_mut().zip(headings) {
        column.set_padding((0, 2));
        if let Heading::Number(_) = heading {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().fold(String::new(), |mut text, line| {
        text.push_str(line.trim_end());
        text.push('\n');
        text
    })
}

/// Names and values below each other.
pub(crate) fn fields(fields: &[(&str, Cell)]) -> String {
    let width = fields
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines = fields
        .iter()
        .map(|(name, Cell(value))| format!("{name:<width$}  {value}"));
    lines.fold(String::new(), |text, line| text + &line + "\n")
}

/// `rows` below an empty line; nothing when there are none.
pub(crate) fn sheet<R: Row>(rows: &[R]) -> String {
    if rows.is_empty() {
        String::new()
    } else {
        format!("\n{}", of(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_word_that_hides_nothing() {
        let cases = [
            ("", "-"),
            ("-", "\"-\""),
            ("web-1", "web-1"),
            ("two words", "\"two words\""),
            ("line\nbreak", "\"line\\nbreak\""),
            ("\u{1b}[31mred", "\"\\u{1b}[31mred\""),
            ("\"", "\"\\\"\""),
        ];
        for (text, shown) in cases {
            assert_eq!(cell(text), Cell(shown.to_owned()), "case: {text:?}");
        }
    }

    #[test]
    fn a_number_beyond_reading_is_a_power() {
        assert_eq!(addresses(1), "1 address");
        assert_eq!(addresses(65534), "65534 addresses");
        assert_eq!(addresses(u64::MAX), "~2^64 addresses");
        assert_eq!(amount(1 << 41), "~2^41");
    }

    #[test]
    fn numbers_end_and_words_begin_in_one_column() {
        let headings = [
            Heading::Text("POOL"),
            Heading::Number("HELD"),
            Heading::Text("NODE"),
        ];
        let row = |name: &str, held: u64| vec![cell(name), cell(held), cell(None::<&str>)];
        let text = lines(&headings, [row("a", 5), row("longer", 12345)].into_iter());
        assert_eq!(
            text,
            "POOL     HELD  NODE\na           5  -\nlonger  12345  -\n"
        );
    }
}
