//! Everything that is printed: results to stdout, remarks to stderr.

mod table;

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use crate::cli::Format;
use crate::error::Ended;

pub(crate) use table::{Cell, Heading, addresses, amount, cell, fields, of as text, sheet};

/// Writes results in the format that was asked for. What goes to a pipe is what goes to a
/// terminal: no colour, no width, nothing cut off.
#[derive(Debug)]
pub(crate) struct Printer<O, E> {
    format: Format,
    stdout: O,
    stderr: E,
}

/// A row of a list. The same type is a row of the table and an element of the JSON array.
pub(crate) trait Row: Serialize {
    /// The columns.
    const HEADINGS: &'static [Heading];

    /// One cell per column.
    fn cells(&self) -> Vec<Cell>;
}

/// Something shown by itself. The same type is the sheet for people and the JSON object.
pub(crate) trait Sheet: Serialize {
    /// The text for people, with its last newline.
    fn text(&self) -> String;
}

impl<O: Write, E: Write> Printer<O, E> {
    /// Results to `stdout`, remarks to `stderr`.
    pub(crate) const fn new(format: Format, stdout: O, stderr: E) -> Self {
        Self {
            format,
            stdout,
            stderr,
        }
    }

    /// Prints a list; `empty` is the remark made when there is nothing in it.
    pub(crate) fn list<R: Row>(&mut self, rows: &[R], empty: &str) -> io::Result<()> {
        if rows.is_empty() {
            self.remark(empty)?;
        }
        match self.format {
            Format::Json => self.json(&rows),
            Format::Table if rows.is_empty() => Ok(()),
            Format::Table => self.stdout.write_all(table::of(rows).as_bytes()),
        }
    }

    /// Prints one thing.
    pub(crate) fn sheet(&mut self, sheet: &impl Sheet) -> io::Result<()> {
        match self.format {
            Format::Json => self.json(sheet),
            Format::Table => self.stdout.write_all(sheet.text().as_bytes()),
        }
    }

    /// Prints what was done: a sentence for people, the thing itself for programs.
    pub(crate) fn done(
        &mut self,
        sentence: impl fmt::Display,
        thing: &impl Serialize,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => self.json(thing),
            Format::Table => writeln!(self.stdout, "{sentence}"),
        }
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<Ended> {
        self.stdout.write_all(bytes).map(|()| Ended::Clean)
    }

    /// Says something to the person at the terminal.
    pub(crate) fn remark(&mut self, words: impl fmt::Display) -> io::Result<()> {
        writeln!(self.stderr, "{words}")
    }

    /// Shows a list to the person at the terminal, whatever the format of results.
    pub(crate) fn preview<R: Row>(&mut self, rows: &[R]) -> io::Result<()> {
        self.stderr.write_all(table::of(rows).as_bytes())
    }

    /// Asks without a newline.
    pub(crate) fn ask(&mut self, question: impl fmt::Display) -> io::Result<()> {
        self.stdout.flush()?;
        write!(self.stderr, "{question} [y/N] ")?;
        self.stderr.flush()
    }

    /// Sends off what is still held back.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()?;
        self.stderr.flush()
    }

    fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.stdout, value)?;
        self.stdout.write_all(b"\n")
    }
}
