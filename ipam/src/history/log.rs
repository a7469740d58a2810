//! A node's own log of changes: `<stateDir>/history/<day>.jsonl`, one line each.
//!
//! Many processes append at once: a line is one write to a file opened for appending. Nothing is
//! synced and nothing fails the caller, for a history is worth no address. A line that was cut
//! short by a full disk or a power cut is passed over by the reader.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use berth_types::Record as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use tracing::{info, warn};

use super::Change;

/// How many days are kept besides the present one.
const DAYS: i64 = 30;

/// How large files become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    /// A day's file beyond that many bytes is put aside for a new one.
    file: u64,
    /// Beyond that many bytes in all, the oldest files go.
    total: u64,
}

const BOUNDS: Bounds = Bounds {
    file: 8 << 20,
    total: 256 << 20,
};

/// The log of one node. Cheap to make; holds nothing open.
#[derive(Clone, Debug)]
pub struct Log {
    folder: PathBuf,
    bounds: Bounds,
}

impl Log {
    /// The log below the node's state folder.
    pub fn below(state: &Path) -> Self {
        Self {
            folder: state.join("history"),
            bounds: BOUNDS,
        }
    }

    #[cfg(test)]
    pub(super) fn bounded(state: &Path, file: u64, total: u64) -> Self {
        let bounds = Bounds { file, total };
        Self {
            bounds,
            ..Self::below(state)
        }
    }

    /// Writes `change` down and tells it as one event. A line that cannot be written is a warning.
    pub fn append(&self, change: &Change) {
        tell(change);
        let mut line = change.encode();
        line.push(b'\n');
        if let Err(error) = self.write(&line, change.at) {
            let folder = self.folder.display();
            warn!(%folder, %error, "a change is missing from the node's history");
        }
    }

    /// The files, oldest first.
    pub(super) fn files(&self) -> io::Result<Vec<LogFile>> {
        let entries = match self.folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut files = Vec::new();
        for entry in entries {
            files.extend(LogFile::of(entry?.path()));
        }
        files.sort();
        Ok(files)
    }

    fn write(&self, line: &[u8], now: Timestamp) -> io::Result<()> {
        let mut file = self.open(now)?;
        let written = file.write(line)?;
        if written < line.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(())
    }

    /// The day's file; whoever opens a new one removes what is too old.
    fn open(&self, now: Timestamp) -> io::Result<File> {
        let day = now.to_zoned(TimeZone::UTC).date();
        let path = self.folder.join(format!("{day}.jsonl"));
        match OpenOptions::new().append(true).open(&path) {
            Ok(file) if file.metadata()?.len() < self.bounds.file => return Ok(file),
            Ok(_full) => self.put_aside(&path, day, now)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.folder)?;
            }
            Err(error) => return Err(error),
        }
        self.prune(day)?;
        let mut options = OpenOptions::new();
        options.append(true).create(true).open(&path)
    }

    /// Gives a full file of `day` a name that sorts before the day's present file.
    ///
    /// Several processes may find it full at once. Each moves what then stands there to a name
    /// that no other uses, so no line is lost; only a file may come short.
    fn put_aside(&self, path: &Path, day: Date, now: Timestamp) -> io::Result<()> {
        static MOVED: AtomicU32 = AtomicU32::new(0);
        let nth = MOVED.fetch_add(1, Ordering::Relaxed);
        let (moment, process) = (now.as_nanosecond(), std::process::id());
        let name = format!("{day}.{moment:020}-{process:010}-{nth:010}.jsonl");
        unless_gone(fs::rename(path, self.folder.join(name)))
    }

    fn prune(&self, today: Date) -> io::Result<()> {
        let oldest = today.checked_sub(DAYS.days()).unwrap_or(Date::MIN);
        let mut total = 0;
        for file in self.files()?.into_iter().rev() {
            total += fs::metadata(&file.path).map_or(0, |meta| meta.len());
            if file.day < oldest || total > self.bounds.total {
                unless_gone(fs::remove_file(&file.path))?;
            }
        }
        Ok(())
    }
}

/// Another process was quicker.
fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// One file of the log. Sorts by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogFile {
    day: Date,
    /// Whether it is the one that is written, hence the newest of its day.
    present: bool,
    pub(super) path: PathBuf,
}

impl LogFile {
    /// None for a file that is not the log's.
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
        let (day, present) = match name.split_once('.') {
            None => (name, true),
            Some((day, _aside)) => (day, false),
        };
        Some(Self {
            day: day.parse().ok()?,
            present,
            path,
        })
    }
}

/// One structured event per change.
fn tell(change: &Change) {
    let Change {
        v: _,
        at: _,
        address,
        pool,
        attachment,
        incarnation,
        pod,
        what,
        revision,
    } = change;
    let what = what.as_str();
    let pod = pod.as_ref().map(tracing::field::display);
    info!(what, %address, %pool, %attachment, %incarnation, pod, %revision, "address changed hands");
}
