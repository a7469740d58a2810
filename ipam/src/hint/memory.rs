//! Hints kept in memory, for programs that stay and make many calls.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::file::{HEAD, lock, parse, write};
use super::{Hint, WITNESSES};
use crate::clock::uptime_ms;

/// How long what was learnt may be missing from the file, in milliseconds.
///
/// Other processes of the node choose without it, which costs them a refused transaction at worst.
const BEHIND_MS: u64 = 10;

/// The hints of one program; what the files hold is merged with them now and then.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<BTreeMap<PathBuf, Resident>>);

/// The hint of one file.
#[derive(Debug, Default)]
struct Resident {
    hint: Hint,
    /// The file's first line when it was last read or written: its checksum.
    head: Vec<u8>,
    /// When that was; `None` for never.
    synced: Option<u64>,
    is_ahead: bool,
}

impl Memory {
    /// Changes the hint of the file at `path`, and writes it there when that is due.
    pub(super) fn update<T>(
        &self,
        path: &Path,
        change: impl FnOnce(&mut Hint) -> T,
    ) -> (T, io::Result<()>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(path) {
            all.insert(path.to_owned(), Resident::default());
        }
        let Some(resident) = all.get_mut(path) else {
            return (change(&mut Hint::default()), Ok(()));
        };
        let now = uptime_ms();
        let is_due = |synced: u64| now.saturating_sub(synced) >= BEHIND_MS;
        if resident.synced.is_none_or(is_due) {
            resident.sync(path, now, change)
        } else {
            resident.is_ahead = true;
            (change(&mut resident.hint), Ok(()))
        }
    }
}

impl Resident {
    fn sync<T>(
        &mut self,
        path: &Path,
        now: u64,
        change: impl FnOnce(&mut Hint) -> T,
    ) -> (T, io::Result<()>) {
        let (mut file, bytes) = match lock(path) {
            Ok(locked) => locked,
            Err(error) => return (change(&mut self.hint), Err(error)),
        };
        if bytes.is_empty() && self.synced.is_some() {
            // Somebody wants the node to forget what it knows of the store.
            self.hint = Hint::default();
        } else if bytes.get(..HEAD) != Some(self.head.as_slice()) {
            // Another process wrote it since.
            self.hint.merge(parse(&bytes).unwrap_or_default());
        }
        let value = change(&mut self.hint);
        let written = write(&mut file, &self.hint, bytes.len()).map(|head| {
            self.head = head;
            self.synced = Some(now);
            self.is_ahead = false;
        });
        (value, written)
    }
}

/// What is not written yet when the program ends.
impl Drop for Memory {
    fn drop(&mut self) {
        let all = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (path, resident) in all.iter_mut().filter(|(_, resident)| resident.is_ahead) {
            let ((), written) = resident.sync(path, uptime_ms(), |_| ());
            if let Err(error) = written {
                tracing::warn!(path = %path.display(), %error, "a hint cannot be kept");
            }
        }
    }
}

impl Hint {
    /// Learns what another process of the node knows: of everything the newer.
    fn merge(&mut self, other: Self) {
        let Self {
            v: _,
            high,
            pool,
            blocks,
            taken,
            witnesses,
            lineage,
            node,
            dry,
        } = other;
        self.high = self.high.max(high);
        if let Some((revision, pool)) = pool {
            self.learn_pool(revision, pool);
        }
        let size = self
            .pool
            .as_ref()
            .map(|(_, pool)| u32::from(pool.block_size));
        let same = blocks
            .into_iter()
            .filter(|(_, b)| size.is_none_or(|size| size == b.size));
        for (first, block) in same {
            let Some(known) = self.blocks.get_mut(&first) else {
                self.blocks.insert(first, block);
                continue;
            };
            known.mine |= block.mine;
            for (address, slot) in block.slots {
                let newer = known
                    .slots
                    .get(&address)
                    .is_none_or(|known| known.r < slot.r);
                if newer {
                    known.slots.insert(address, slot);
                    known.empty = None;
                }
            }
        }
        for (address, by) in taken {
            self.taken.entry(address).or_insert(by);
        }
        for witness in witnesses {
            let known = |w: &super::Witness| w.id == witness.id;
            if !self.witnesses.iter().any(known) {
                self.witnesses.push(witness);
            }
        }
        self.witnesses.sort_by_key(|witness| witness.revision);
        let surplus = self.witnesses.len().saturating_sub(WITNESSES);
        self.witnesses.drain(..surplus);
        self.lineage = self.lineage.take().or(lineage);
        self.node = self.node.max(node);
        self.dry = self.dry.max(dry);
    }
}

#[cfg(test)]
mod tests {
    use berth_store::Revision;
    use tempfile::TempDir;

    use super::*;

    fn high(memory: &Memory, path: &Path) -> u64 {
        memory.update(path, |hint| hint.high.0).0
    }

    fn raise(memory: &Memory, path: &Path, revision: u64) {
        let ((), kept) = memory.update(path, |hint| hint.high = Revision(revision));
        kept.expect("it can be written");
    }

    #[test]
    fn what_one_program_learns_another_knows_after_it_ended() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("prod.hint");
        let (one, other) = (Memory::default(), Memory::default());
        raise(&one, &path, 1);
        assert_eq!(high(&other, &path), 1);
        // Not due yet: in memory alone, until the end.
        raise(&one, &path, 7);
        drop(one);
        assert_eq!(high(&Memory::default(), &path), 7);
    }

    #[test]
    fn what_both_learnt_is_merged() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("prod.hint");
        let (one, other) = (Memory::default(), Memory::default());
        raise(&one, &path, 5);
        raise(&other, &path, 3);
        raise(&other, &path, 6);
        drop(one);
        drop(other);
        assert_eq!(high(&Memory::default(), &path), 6);
    }

    #[test]
    fn a_file_that_was_removed_is_forgotten() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("prod.hint");
        let memory = Memory::default();
        raise(&memory, &path, 5);
        std::fs::remove_file(&path).unwrap();
        let mut all = memory.0.lock().unwrap();
        let resident = all.get_mut(&path).unwrap();
        let (seen, _) = resident.sync(&path, uptime_ms(), |hint| hint.high.0);
        assert_eq!(seen, 0);
    }
}
