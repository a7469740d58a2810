//! What the node itself knows to live on it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_types::{AttachmentId, LocalAttachment, NetnsRef, Record as _};
use nix::fcntl::{Flock, FlockArg};
use serde::Deserialize;

use super::namespaces::Namespaces;
use super::{RepublishError, Scope, addresses_of};

/// How often, and how far apart, calls at work are looked for again.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(200);

/// The node at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Local {
    /// Complete interfaces that this store gave addresses to, and whose namespace may exist.
    pub(super) live: Vec<LocalAttachment>,
    /// Those whose namespace does not.
    pub(super) gone: BTreeSet<AttachmentId>,
    /// What is neither complete nor gone.
    pub(super) unfinished: Vec<Unfinished>,
    /// Files that cannot be read, and why.
    pub(super) unreadable: Vec<String>,
    /// Which namespaces exist.
    pub(super) namespaces: Namespaces,
}

/// An ADD or DEL that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// It is at work: wait for it.
    AtWork(PathBuf),
    /// It was killed, and its container's namespace may live: its interface may have an address.
    Killed(AttachmentId),
}

/// As much of an intent file as is needed here.
#[derive(Deserialize)]
struct Intent {
    attachment: AttachmentId,
    netns: NetnsRef,
    /// Of an interface whose addresses another IPAM plugin gives, that one's configuration.
    ipam: Option<serde_json::Value>,
}

/// Looks at the node once all that is at work on it has come to its end, or 20 s have passed.
///
/// What begins later does not matter: while the store is closed it gets no address.
///
/// # Errors
/// [`RepublishError::Disk`] for a folder that cannot be read.
pub(super) async fn observe_at_rest(scope: &Scope<'_>) -> Result<Local, RepublishError> {
    let mut local = observe(scope)?;
    let mut awaited = local.at_work();
    for _ in 0..LOOKS {
        if awaited.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        local = observe(scope)?;
        awaited = &awaited & &local.at_work();
    }
    local.unfinished.retain(|unfinished| match unfinished {
        Unfinished::AtWork(path) => awaited.contains(path),
        Unfinished::Killed(_) => true,
    });
    Ok(local)
}

/// Looks at the node.
///
/// Intents are read before records: an ADD writes its record before it gives up its intent, so that
/// one which ends meanwhile is seen as one or the other.
///
/// # Errors
/// [`RepublishError::Disk`] for a folder that cannot be read.
fn observe(scope: &Scope<'_>) -> Result<Local, RepublishError> {
    let in_scope =
        |id: &AttachmentId| scope.networks.is_empty() || scope.networks.contains(&id.network);
    let intents = files_of_both(scope, "intents")?;
    let intents: Vec<_> = intents.into_iter().filter_map(left_behind).collect();
    let mut local = Local {
        namespaces: Namespaces::find(),
        ..Local::default()
    };
    for path in files_of_both(scope, "attachments")? {
        local.take(&path, in_scope);
    }
    let complete: BTreeSet<_> = local.live.iter().map(|a| a.attachment.clone()).collect();
    for intent in intents {
        match intent {
            Left::AtWork(path) => local.unfinished.push(Unfinished::AtWork(path)),
            Left::Killed(Intent {
                attachment,
                netns,
                ipam: _,
            }) => {
                let stands = local.namespaces.may_have(&netns) && !complete.contains(&attachment);
                if stands && in_scope(&attachment) {
                    local.unfinished.push(Unfinished::Killed(attachment));
                }
            }
        }
    }
    Ok(local)
}

impl Local {
    fn at_work(&self) -> BTreeSet<PathBuf> {
        let at_work = self.unfinished.iter().filter_map(|found| match found {
            Unfinished::AtWork(path) => Some(path.clone()),
            Unfinished::Killed(_) => None,
        });
        at_work.collect()
    }

    /// Sorts one record file in. One that vanished was its container's end.
    fn take(&mut self, path: &Path, in_scope: impl Fn(&AttachmentId) -> bool) {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                self.unreadable.push(format!("{}: {error}", path.display()));
                return;
            }
            Ok(bytes) => bytes,
        };
        match LocalAttachment::decode(path.display(), &bytes) {
            Err(error) => self.unreadable.push(error.to_string()),
            Ok(record) if !in_scope(&record.attachment) => {}
            Ok(record) if addresses_of(&record).next().is_none() => {}
            Ok(record) if self.namespaces.may_have(&record.netns) => self.live.push(record),
            Ok(record) => drop(self.gone.insert(record.attachment)),
        }
    }
}

/// What an intent file says.
enum Left {
    AtWork(PathBuf),
    Killed(Intent),
}

/// `None` for one that is gone by now, or that was killed before it had done anything: an intent is
/// whole before its ADD goes on. One whose addresses are another plugin's is no business of a store.
fn left_behind(path: PathBuf) -> Option<Left> {
    let file = File::open(&path).ok()?;
    let intent: Option<Intent> = serde_json::from_slice(&fs::read(&path).ok()?).ok();
    if intent.as_ref().is_some_and(|intent| intent.ipam.is_some()) {
        return None;
    }
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Err(_) => Some(Left::AtWork(path)),
        // What its ADD wrote before it ended: more than above, if anything.
        Ok(_lock) => serde_json::from_slice(&fs::read(&path).ok()?)
            .ok()
            .map(Left::Killed),
    }
}

/// The files of `berth`, and those of `berth-ipam`, which has its own below `ipam`.
fn files_of_both(scope: &Scope<'_>, folder: &str) -> Result<Vec<PathBuf>, RepublishError> {
    let mut all = files(&scope.run_dir.join(folder))?;
    all.extend(files(&scope.run_dir.join("ipam").join(folder))?);
    Ok(all)
}

/// The record files of a folder, in order; none where there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, RepublishError> {
    let failed = |source| RepublishError::Disk {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    Ok(paths)
}
