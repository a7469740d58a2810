//! What the workers did, as they wrote it down: one file per worker, one JSON object per line.
//!
//! A line is written before a call and one after it, with the machine's time, so that a killed
//! worker's file says what it was at. The file is also the worker's memory: what the plugin keeps
//! as intents and records.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::net::IpAddr;
use std::path::Path;

use berth_types::{AttachmentId, Incarnation};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes at the end of a file in which its last whole line is looked for.
const TAIL: u64 = 16 << 10;

/// One life of an attachment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Life {
    /// Whose interface.
    pub attachment: AttachmentId,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

/// Which address is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// Any of the pool.
    Any,
    /// That one.
    Exact(IpAddr),
    /// The one that belongs to the pod of this name, wherever it runs.
    Sticky(String),
    /// One of those that are reserved for the workload of this name.
    Reserved(String),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The worker's process began.
    Began,
    /// An ADD of a new life is called.
    Add {
        /// The new life. Earlier ones of the attachment have ended.
        life: Life,
        /// What it asks for.
        wish: Wish,
    },
    /// An ADD of a life that stands is called once more.
    Again {
        /// The life.
        life: Life,
    },
    /// The ADD answered with addresses: the interface lives.
    Given {
        /// The addresses.
        addresses: Vec<IpAddr>,
        /// What the node's record would say of it.
        memory: Value,
    },
    /// The ADD failed.
    NotGiven {
        /// The kind of error.
        why: String,
    },
    /// The interface is gone and a DEL is called.
    Del {
        /// Its latest life.
        life: Life,
    },
    /// A DEL of a life that ended long ago is called.
    LateDel {
        /// That life.
        life: Life,
    },
    /// The DEL ended well.
    Deleted {
        /// How: `freed`, `nothing`, `journalled`.
        how: String,
    },
    /// The DEL failed and is owed.
    NotDeleted {
        /// The kind of error.
        why: String,
    },
    /// Releases that waited for the store were to be made.
    Drained {
        /// How many were, or the kind of error.
        how: String,
    },
    /// All is done; every DEL that was owed is made.
    Ended,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Nanoseconds since the machine booted.
    pub at_ns: u64,
    /// The worker's operation it belongs to, counted from 0 over all its processes.
    pub op: u64,
    /// What happened.
    pub event: Event,
}

/// A worker's file, open for more lines.
#[derive(Debug)]
pub struct Writer {
    file: File,
}

impl Writer {
    /// Opens the file for appending. A line that a killed process left half written is ended.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(path: &Path) -> io::Result<Self> {
        let torn = fs::read(path).is_ok_and(|bytes| bytes.last().is_some_and(|b| *b != b'\n'));
        let mut file = File::options().create(true).append(true).open(path)?;
        if torn {
            file.write_all(b"\n")?;
        }
        Ok(Self { file })
    }

    /// Appends a line with the time of this moment.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&mut self, op: u64, event: Event) -> io::Result<Line> {
        let line = Line {
            at_ns: boot_time_ns(),
            op,
            event,
        };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)?;
        Ok(line)
    }
}

/// The lines of a worker's file, in order; none when there is no file.
///
/// Lines cut short by a kill are left out: what they would have said did not happen yet.
///
/// # Errors
/// The file system's.
pub fn read(path: &Path) -> io::Result<Vec<Line>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    Ok(lines.collect())
}

/// How many operations a worker has begun, by the last lines of its file.
pub fn begun(path: &Path) -> u64 {
    let last_lines = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes: Vec<u8> = last_lines().unwrap_or_default();
    let mut lines = bytes.rsplit(|byte| *byte == b'\n');
    let last = lines.find_map(|line| serde_json::from_slice::<Line>(line).ok());
    last.map_or(0, |line| line.op + 1)
}

/// Nanoseconds since boot, the same clock for every process of the machine.
fn boot_time_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("the machine's clock");
    u64::try_from(std::time::Duration::from(now).as_nanos()).expect("584 years of uptime")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_line_cut_short_by_a_kill_is_left_out_and_the_next_is_whole() {
        let scratch = Scratch::new("history");
        let path = scratch.join("h");
        Writer::open(&path).unwrap().write(0, Event::Began).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [whole.as_slice(), &whole[..9]].concat()).unwrap();
        Writer::open(&path).unwrap().write(1, Event::Ended).unwrap();
        let lines = read(&path).unwrap();
        let events: Vec<_> = lines.into_iter().map(|line| line.event).collect();
        assert_eq!(events, [Event::Began, Event::Ended]);
        assert_eq!(begun(&path), 2);
        assert_eq!(begun(&scratch.join("none")), 0);
    }
}
