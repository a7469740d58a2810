//! Since when attachments are seen of which only the store tells: `<runDir>/gc/<network>.json`.
//!
//! GC is a program that ends, and ages are measured by one observer on one boot's clock; so it
//! writes down what it saw. A file that is lost makes everything young again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_store::Revision;
use berth_types::{AttachmentId, NetworkName, Record, SchemaVersion};
use serde::{Deserialize, Serialize};

use crate::files::{self, RunFiles};

/// What was seen, and since when unchanged, in milliseconds of uptime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(BTreeMap<AttachmentId, (u64, u64)>);

impl Seen {
    /// Adds an attachment that is seen at `now`; since when it was seen like that.
    pub(super) fn add(
        &mut self,
        earlier: &Self,
        id: &AttachmentId,
        revision: Revision,
        now: u64,
    ) -> u64 {
        let unchanged = |(at, since): &&(u64, u64)| *at == revision.0 && *since <= now;
        let since = earlier.0.get(id).filter(unchanged);
        let since = since.map_or(now, |(_, since)| *since);
        self.0.insert(id.clone(), (revision.0, since));
        since
    }
}

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SeenRecord {
    v: SchemaVersion,
    /// Whose uptime it is.
    boot: String,
    /// Revision and time by attachment.
    seen: BTreeMap<AttachmentId, (u64, u64)>,
}

impl Record for SeenRecord {}

/// The file of one network.
#[derive(Debug)]
pub(super) struct SeenFile(PathBuf);

impl SeenFile {
    pub(super) fn new(files: &RunFiles, network: &NetworkName) -> Self {
        Self(files.gc_file(network))
    }

    /// What was seen in this boot; nothing when that cannot be read.
    pub(super) fn read(&self, boot: &str) -> Seen {
        let bytes = std::fs::read(&self.0).unwrap_or_default();
        let record = SeenRecord::decode(self.0.display(), &bytes).ok();
        let of_this_boot = record.filter(|record| record.boot == boot && !boot.is_empty());
        Seen(of_this_boot.map(|record| record.seen).unwrap_or_default())
    }

    /// Writes it down. Where that fails nothing grows old, and nothing is freed for its age.
    pub(super) fn write(&self, seen: &Seen, boot: &str) {
        let Seen(seen) = seen;
        let record = SeenRecord {
            v: SchemaVersion,
            boot: boot.to_owned(),
            seen: seen.clone(),
        };
        let written = if seen.is_empty() {
            files::remove(&self.0)
        } else {
            files::replace_making_folder(&self.0, &record.encode())
        };
        if let Err(error) = written {
            tracing::debug!(%error, "what GC saw could not be written down");
        }
    }
}
