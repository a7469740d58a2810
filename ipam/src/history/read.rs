//! Reading a node's log, newest change first.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::IpAddr;

use berth_types::Record as _;

use super::Change;
use super::log::{Log, LogFile};

impl Log {
    /// The changes of `address`, newest first as they were written. One file is in memory at a
    /// time, at most 8 MiB of it.
    ///
    /// Lines that cannot be read are passed over: cut short, or of a newer release. A file that
    /// cannot be read is an error in its place, and the older ones follow.
    ///
    /// # Errors
    /// When the folder cannot be read. An absent one is an empty log.
    pub fn changes(&self, address: IpAddr) -> io::Result<Changes> {
        Ok(Changes {
            address,
            files: self.files()?,
            found: VecDeque::new(),
        })
    }
}

/// See [`Log::changes`].
#[derive(Debug)]
pub struct Changes {
    address: IpAddr,
    /// The files not read yet; the newest last.
    files: Vec<LogFile>,
    /// What the file read last has left, newest first.
    found: VecDeque<Change>,
}

impl Iterator for Changes {
    type Item = io::Result<Change>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(change) = self.found.pop_front() {
                return Some(Ok(change));
            }
            match fs::read(&self.files.pop()?.path) {
                Ok(text) => self.found = changes_in(&text, self.address),
                // It grew too old meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The changes of `address` in a file, the last line first.
fn changes_in(text: &[u8], address: IpAddr) -> VecDeque<Change> {
    let quoted = format!("\"{address}\"");
    let lines = text.split(|byte| *byte == b'\n').rev();
    let lines = lines.filter_map(|line| str::from_utf8(line).ok());
    // Most lines are of other addresses; this is far cheaper than parsing them.
    let lines = lines.filter(|line| line.contains(&quoted));
    let changes = lines.filter_map(parse);
    changes.filter(|change| change.address == address).collect()
}

fn parse(line: &str) -> Option<Change> {
    // Where a line was cut short, the next one begins behind it.
    let starts = line.rmatch_indices("{\"v\":").map(|(at, _)| at);
    let mut whole = starts.filter_map(|at| Change::decode("line", line.get(at..)?.as_bytes()).ok());
    whole.next()
}
