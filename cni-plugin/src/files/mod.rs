//! What the plugin keeps on the node of each attachment: a lock, an intent, a record.
//!
//! All below `runDir`, which may vanish with a reboot, as the interfaces do.
//!
//! - `intents/<container>-<ifname>.json` exists while a call works on the attachment, and is its
//!   lock. One that is left behind says that its ADD was killed.
//! - `attachments/<container>-<ifname>.json` exists while the interface is complete.
//!   A `-` in the interface's name is written `%2d` in both.
//!
//! `berth-ipam` keeps the same below `<runDir>/ipam`: interfaces that another plugin makes.
//!
//! - `tagged/<pool>` says in which VLAN the pool's addresses are: a guess, see [`Tagging`];
//! - `gc/<network>.json` says since when GC sees attachments of which only the store tells;
//! - `store-away` exists since the store was first found away.

mod lock;
mod tags;

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use berth_ipam::uptime_ms;
use berth_types::{
    AttachmentId, BadRecord, ContainerId, IfName, Incarnation, LocalAttachment, LocalPort, MacAddr,
    NetnsRef, NetworkName, Record, SchemaVersion,
};
use nix::fcntl::Flock;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::spec::{CniError, Code};
use lock::{Patience, lock_linked};
pub use tags::Tagging;

/// An ADD that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Schema version.
    pub v: SchemaVersion,
    /// Whose interface is to be made.
    pub attachment: AttachmentId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Where.
    pub netns: NetnsRef,
    /// The hardware address the link is made with, until it is marked.
    pub mac: Option<MacAddr>,
    /// Its port, when it is to be one of an Open vSwitch bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<LocalPort>,
    /// The node's end of the pair by which node and container reach each other, when they are to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_end: Option<IfName>,
    /// The section `ipam` of the configuration, where another plugin gives the addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipam: Option<Value>,
}

impl Record for Intent {}

/// The plugin's files below `runDir`.
#[derive(Clone, Debug)]
pub struct RunFiles {
    dir: PathBuf,
}

impl RunFiles {
    /// The files below `dir`; nothing is touched yet.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Takes an attachment for this call alone.
    ///
    /// # Errors
    /// Code 11 when another call keeps it for 20 s; code 5.
    pub fn lock(&self, id: &AttachmentId) -> Result<Locked, CniError> {
        self.lock_with(id, Patience::Long)
    }

    /// Takes another attachment than the call's own, which keeps its lock meanwhile: two calls
    /// that want each other's must not wait for long.
    ///
    /// # Errors
    /// Code 11 when another call keeps it for half a second; code 5.
    pub fn lock_other(&self, id: &AttachmentId) -> Result<Locked, CniError> {
        self.lock_with(id, Patience::Short)
    }

    /// Takes an attachment that no call works on; `None` when one does.
    ///
    /// # Errors
    /// Code 5.
    pub fn lock_idle(&self, id: &AttachmentId) -> Result<Option<Locked>, CniError> {
        match self.lock_with(id, Patience::None) {
            Err(error) if error.code() == Code::TryAgain => Ok(None),
            locked => locked.map(Some),
        }
    }

    fn lock_with(&self, id: &AttachmentId, patience: Patience) -> Result<Locked, CniError> {
        let name = file_name(id);
        let intent = self.dir.join("intents").join(&name);
        let record = self.dir.join("attachments").join(&name);
        let lock = lock_linked(&intent, id, patience)?;
        Ok(Locked {
            lock,
            intent,
            record,
            finished: false,
        })
    }

    /// The records of all complete interfaces. One that cannot be read is passed over, also one
    /// that another call is about to remove.
    pub fn records(&self) -> Vec<LocalAttachment> {
        all_in(&self.dir.join("attachments"))
    }

    /// The intents of all ADDs that are at work or were killed; passed over as in
    /// [`RunFiles::records`].
    pub fn intents(&self) -> Vec<Intent> {
        all_in(&self.dir.join("intents"))
    }

    /// The containers and interfaces of which there is an intent's file, also an empty one.
    pub fn intended(&self) -> Vec<(ContainerId, IfName)> {
        let paths = paths_in(&self.dir.join("intents"));
        paths.filter_map(|path| named_by(&path)).collect()
    }

    /// The record of a complete interface, without its lock. One that cannot be read counts as
    /// none, as does one of another network or node.
    pub fn record_of(&self, id: &AttachmentId) -> Option<LocalAttachment> {
        let path = self.dir.join("attachments").join(file_name(id));
        let record = LocalAttachment::decode(path.display(), &fs::read(&path).ok()?).ok()?;
        (record.attachment == *id).then_some(record)
    }

    /// Since when the store is away, in milliseconds of uptime; `None` when it is not.
    pub fn store_away_since(&self) -> Option<u64> {
        fs::read_to_string(self.away()).ok()?.trim().parse().ok()
    }

    /// Notes that the store is away, unless that is known.
    ///
    /// Only STATUS reads it, and no call fails for it.
    pub fn note_store_away(&self) {
        if self.store_away_since().is_some() {
            return;
        }
        // Calls on several attachments may do this at once.
        let fresh = self.dir.join(format!("store-away.{}", std::process::id()));
        let noted = fs::create_dir_all(&self.dir)
            .and_then(|()| fs::write(&fresh, uptime_ms().to_string()))
            .and_then(|()| fs::rename(&fresh, self.away()));
        if let Err(error) = noted {
            tracing::debug!(%error, "the store's absence could not be noted");
        }
    }

    /// Notes that the store answers; as [`RunFiles::note_store_away`].
    pub fn note_store_back(&self) {
        if let Err(error) = remove(&self.away()) {
            tracing::debug!(%error, "the store's return could not be noted");
        }
    }

    /// Where GC of that network writes down what it saw.
    pub fn gc_file(&self, network: &NetworkName) -> PathBuf {
        self.dir.join("gc").join(format!("{network}.json"))
    }

    fn away(&self) -> PathBuf {
        self.dir.join("store-away")
    }
}

fn unreadable(bad: &BadRecord) -> CniError {
    let remedy = match bad {
        BadRecord::Malformed { .. } => "delete the container: its DEL removes the file",
        BadRecord::Newer { .. } => "use the release of this plugin that wrote it",
    };
    CniError::new(Code::Internal, bad.to_string()).details(remedy)
}

/// An attachment that only this call works on.
#[derive(Debug)]
pub struct Locked {
    lock: Flock<File>,
    intent: PathBuf,
    record: PathBuf,
    finished: bool,
}

impl Locked {
    /// The intent that an earlier ADD left behind.
    ///
    /// # Errors
    /// Code 5. One that cannot be read counts as none: it was killed while it wrote, and had done
    /// nothing else yet.
    pub fn left_intent(&mut self) -> Result<Option<Intent>, CniError> {
        let mut bytes = Vec::new();
        let mut read = || {
            self.lock.rewind()?;
            self.lock.read_to_end(&mut bytes)
        };
        read().map_err(|error| CniError::io(self.intent.display(), &error))?;
        Ok(Intent::decode(self.intent.display(), &bytes).ok())
    }

    /// Writes down what is about to be done.
    ///
    /// # Errors
    /// Code 5.
    pub fn write_intent(&mut self, intent: &Intent) -> Result<(), CniError> {
        let mut write = || {
            self.lock.set_len(0)?;
            self.lock.rewind()?;
            self.lock.write_all(&intent.encode())
        };
        write().map_err(|error| CniError::io(self.intent.display(), &error))
    }

    /// The record of what is complete, when there is one.
    ///
    /// # Errors
    /// Code 5; code 999 for a record that cannot be read, naming it.
    pub fn record(&self) -> Result<Option<LocalAttachment>, CniError> {
        let record = self.read_record()?.transpose();
        record.map_err(|bad| unreadable(&bad))
    }

    /// The same for DEL, to which a damaged record is a lost one: the store tells what it told.
    ///
    /// # Errors
    /// Code 5; code 999 for a later release's record, naming it.
    pub fn record_unless_damaged(&self) -> Result<Option<LocalAttachment>, CniError> {
        match self.read_record()?.transpose() {
            Err(damaged @ BadRecord::Malformed { .. }) => {
                tracing::warn!(%damaged, "a record counts as lost");
                Ok(None)
            }
            other => other.map_err(|bad| unreadable(&bad)),
        }
    }

    fn read_record(&self) -> Result<Option<Result<LocalAttachment, BadRecord>>, CniError> {
        match fs::read(&self.record) {
            Ok(bytes) => Ok(Some(LocalAttachment::decode(self.record.display(), &bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CniError::io(self.record.display(), &error)),
        }
    }

    /// Writes the record of the complete interface; readers see all of it or nothing.
    ///
    /// # Errors
    /// Code 5.
    pub fn write_record(&self, record: &LocalAttachment) -> Result<(), CniError> {
        replace_making_folder(&self.record, &record.encode())
    }

    /// Removes the record.
    ///
    /// # Errors
    /// Code 5.
    pub fn remove_record(&self) -> Result<(), CniError> {
        remove(&self.record)
    }

    /// The lock, to be shared with a program that works on the attachment for this call: while that
    /// runs, also after this one was killed, no other call begins.
    pub fn shared(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    /// Ends the work: the intent, and with it the lock, are gone.
    ///
    /// # Errors
    /// Code 5.
    pub fn finish(mut self) -> Result<(), CniError> {
        self.finished = true;
        remove(&self.intent)
    }
}

impl Drop for Locked {
    /// A call that gave up before it wrote an intent leaves no file; an intent stays.
    fn drop(&mut self) {
        let empty = self.lock.metadata().is_ok_and(|file| file.len() == 0);
        if empty && !self.finished {
            // Still locked, so it is still ours. A file that stays is an empty one.
            drop(remove(&self.intent));
        }
    }
}

/// `<container>-<ifname>.json`. Both may have a `-`, so one in the interface's name is written
/// `%2d`: no two attachments share a file.
fn file_name(id: &AttachmentId) -> String {
    let ifname = id.ifname.as_str().replace('%', "%25").replace('-', "%2d");
    format!("{}-{ifname}.json", id.container)
}

/// The container and the interface that a file is named after: [`file_name`] the other way.
fn named_by(path: &Path) -> Option<(ContainerId, IfName)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
    let (container, ifname) = name.rsplit_once('-')?;
    let ifname = ifname.replace("%2d", "-").replace("%25", "%");
    Some((container.parse().ok()?, ifname.parse().ok()?))
}

/// The paths in a folder; none where there is none.
fn paths_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten();
    listed.map(|entry| entry.path())
}

/// The records in a folder that can be read.
fn all_in<R: Record>(folder: &Path) -> Vec<R> {
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).ok()?;
        R::decode(path.display(), &bytes).ok()
    };
    paths_in(folder).filter_map(read).collect()
}

/// Writes a file whose readers see all of it or nothing, in a folder that may not be there yet.
///
/// # Errors
/// Code 5.
pub(crate) fn replace_making_folder(path: &Path, bytes: &[u8]) -> Result<(), CniError> {
    let write = || replace(path, bytes);
    let written = match write() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| write()),
        other => other,
    };
    written.map_err(|error| CniError::io(path.display(), &error))
}

/// The lock of the attachment keeps two writers apart, so that one name for fresh files will do.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, bytes)?;
    fs::rename(fresh, path)
}

/// Removes a file; one that is gone already is as good.
///
/// # Errors
/// Code 5.
pub(crate) fn remove(path: &Path) -> Result<(), CniError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CniError::io(path.display(), &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_one_attachment_only() {
        for raw in [
            "n1/pods/a/eth0",
            "n1/pods/a-b/net-1",
            "n1/pods/x/a%2db-",
            "n1/pods/x/%25",
        ] {
            let id: AttachmentId = raw.parse().unwrap();
            let named = named_by(&Path::new("/run/berth/intents").join(file_name(&id)));
            assert_eq!(named, Some((id.container, id.ifname)), "case: {raw}");
        }
        for other in ["store-away", "a.json", "a-b.new", "a-b/c.json"] {
            assert_eq!(named_by(Path::new(other)), None, "case: {other}");
        }
    }
}
