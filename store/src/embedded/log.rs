//! The latest changes, for watches; and through its last key, the store's revision.
//!
//! Key: revision (8 bytes), index within the revision (4 bytes), both big endian. Value: 1 for a
//! put or 0 for a deletion, length of the key (2 bytes, big endian), key, value. Every revision
//! has at least one entry, and the latest is never trimmed.

use std::ops::Bound;

use heed::{MdbError, RwTxn};

use super::content::{AnyTxn, Table, bytes};
use crate::{Entry, Event, KeyRange, Revision};

const DELETED: u8 = 0;
const PUT: u8 = 1;

/// Entries removed by one trim, at most about. Keeps every commit short.
const TRIM_ENTRIES: usize = 2048;
/// Revisions beyond those to be kept before a trim starts, so that most commits need none.
const TRIM_SLACK: u64 = 256;

/// The revision of the latest commit; 0 before the first.
pub(super) fn revision(log: Table, txn: &AnyTxn<'_>) -> heed::Result<Revision> {
    log.last(txn)?
        .map_or(Ok(Revision(0)), |(key, _)| revision_in(key))
}

/// The oldest revision in the log, when there is one.
pub(super) fn oldest(log: Table, txn: &AnyTxn<'_>) -> heed::Result<Option<Revision>> {
    log.first(txn)?.map(|(key, _)| revision_in(key)).transpose()
}

/// Writes the changes of one revision.
pub(super) struct Writer {
    log: Table,
    revision: Revision,
    count: u32,
}

impl Writer {
    /// For the changes of `revision`, which must be the next one.
    pub(super) const fn new(log: Table, revision: Revision) -> Self {
        Self {
            log,
            revision,
            count: 0,
        }
    }

    /// How many changes were written.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// Notes that `key` was set to `value`.
    pub(super) fn put(
        &mut self,
        txn: &mut RwTxn<'_>,
        key: &[u8],
        value: &[u8],
    ) -> heed::Result<()> {
        self.append(txn, PUT, key, value)
    }

    /// Notes that `key` was removed.
    pub(super) fn deleted(&mut self, txn: &mut RwTxn<'_>, key: &[u8]) -> heed::Result<()> {
        self.append(txn, DELETED, key, &[])
    }

    fn append(
        &mut self,
        txn: &mut RwTxn<'_>,
        kind: u8,
        key: &[u8],
        value: &[u8],
    ) -> heed::Result<()> {
        let size = u16::try_from(key.len())
            .map_err(|_over| MdbError::BadValSize)?
            .to_be_bytes();
        let change = [&[kind], size.as_slice(), key, value].concat();
        self.log
            .put(txn, &position(self.revision, self.count), &change)?;
        self.count += 1;
        Ok(())
    }
}

/// Removes old revisions when there are more than `kept`, or when the log takes more than
/// `max_bytes`; a bounded number each time.
pub(super) fn trim(
    log: Table,
    txn: &mut RwTxn<'_>,
    kept: u64,
    max_bytes: usize,
) -> heed::Result<()> {
    let Some(oldest) = oldest(log, txn)? else {
        return Ok(());
    };
    let newest = revision(log, txn)?;
    let many = newest.0 - oldest.0 > kept.saturating_add(TRIM_SLACK);
    let limit = match (many, bytes(log, txn)? > max_bytes) {
        (_, true) => newest.0,
        (true, false) => newest.0.saturating_sub(kept),
        (false, false) => return Ok(()),
    };
    let reached = log.iter(txn)?.take(TRIM_ENTRIES).last().transpose()?;
    let reached = reached.map_or(Ok(oldest), |(key, _)| revision_in(key))?;
    // A revision leaves whole, be it larger than one trim's share.
    let cut = position(Revision(reached.0.max(oldest.0 + 1).min(limit)), 0);
    log.delete_range(txn, &(Bound::Unbounded, Bound::Excluded(cut.as_slice())))?;
    Ok(())
}

/// Changes of keys in `range` after `after`: whole revisions, until there are at least `enough`.
///
/// Returns them with the revision up to which was looked.
pub(super) fn changes(
    log: Table,
    txn: &AnyTxn<'_>,
    range: &KeyRange,
    after: Revision,
    enough: usize,
) -> heed::Result<(Vec<Event>, Revision)> {
    let start = position(Revision(after.0.saturating_add(1)), 0);
    let mut found = Vec::new();
    let mut seen = after;
    for change in log.range(txn, &(Bound::Included(start.as_slice()), Bound::Unbounded))? {
        let (place, change) = change?;
        let revision = revision_in(place)?;
        if revision != seen && found.len() >= enough {
            break;
        }
        seen = revision;
        let (kind, key, value) = parse(change)?;
        if range.contains(key) {
            found.push(event(kind, key, value, revision));
        }
    }
    Ok((found, seen))
}

fn event(kind: u8, key: &[u8], value: &[u8], revision: Revision) -> Event {
    let key = key.to_vec();
    match kind {
        DELETED => Event::Deleted { key, revision },
        _ => Event::Put(Entry {
            key,
            value: value.to_vec(),
            revision,
        }),
    }
}

fn position(revision: Revision, index: u32) -> [u8; 12] {
    let (high, low) = (u128::from(revision.0) << 32, u128::from(index));
    let [_, _, _, _, position @ ..] = (high | low).to_be_bytes();
    position
}

fn revision_in(position: &[u8]) -> heed::Result<Revision> {
    let revision = position.first_chunk().ok_or(MdbError::Corrupted)?;
    Ok(Revision(u64::from_be_bytes(*revision)))
}

fn parse(change: &[u8]) -> heed::Result<(u8, &[u8], &[u8])> {
    let (&[kind, high, low], rest) = change.split_first_chunk().ok_or(MdbError::Corrupted)?;
    let size = usize::from(u16::from_be_bytes([high, low]));
    let (key, value) = rest.split_at_checked(size).ok_or(MdbError::Corrupted)?;
    Ok((kind, key, value))
}
