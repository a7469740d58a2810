//! One transaction: compare, write, note the changes, commit.

use heed::{MdbError, RwTxn};

use super::Options;
use super::content::{self, Tables};
use super::log::{self, Writer};
use super::open::Shared;
use crate::{Outcome, Revision, StoreError, Txn, Write};

/// Makes or refuses `txn`, which is within the limits.
///
/// The compares are first tried on a snapshot, so that a refusal neither waits for other writers
/// nor costs a write; it is then true as of that snapshot, which no earlier answer is newer than.
pub(super) fn commit(shared: &Shared, txn: &Txn) -> Result<Outcome, StoreError> {
    if let Some(outcome) = try_without_writing(shared, txn).map_err(|error| shared.failed(error))? {
        return Ok(outcome);
    }
    let mut writing = shared
        .env
        .write_txn()
        .map_err(|error| shared.failed(error))?;
    match apply(shared, &mut writing, txn).map_err(|error| shared.failed(error))? {
        Applied::Changed(revision) => {
            writing
                .commit()
                .map_err(|error| shared.failed_to_commit(error))?;
            Ok(Outcome::Committed(revision))
        }
        Applied::Nothing(outcome) => Ok(outcome),
    }
}

/// What became of a transaction within LMDB's.
enum Applied {
    /// Something was written, at this revision: to be committed.
    Changed(Revision),
    /// Nothing was written: to be aborted.
    Nothing(Outcome),
}

fn try_without_writing(shared: &Shared, txn: &Txn) -> heed::Result<Option<Outcome>> {
    let Tables { kv, log } = shared.tables;
    let reading = shared.reading()?;
    if !content::hold(kv, &reading, &txn.compares)? {
        let answer = content::answer(&shared.tables, &reading, &txn.otherwise)?;
        return Ok(Some(Outcome::Refused(answer)));
    }
    if txn.writes.is_empty() {
        return Ok(Some(Outcome::Committed(log::revision(log, &reading)?)));
    }
    Ok(None)
}

fn apply(shared: &Shared, writing: &mut RwTxn<'_>, txn: &Txn) -> heed::Result<Applied> {
    let Tables { kv, log } = shared.tables;
    if !content::hold(kv, writing, &txn.compares)? {
        let answer = content::answer(&shared.tables, writing, &txn.otherwise)?;
        return Ok(Applied::Nothing(Outcome::Refused(answer)));
    }
    let size = content::bytes(kv, writing)?;
    let current = log::revision(log, writing)?;
    let next = Revision(current.0 + 1);
    let mut changes = Writer::new(log, next);
    for write in &txn.writes {
        make(&shared.tables, writing, &mut changes, (next, write))?;
    }
    if changes.count() == 0 {
        return Ok(Applied::Nothing(Outcome::Committed(current)));
    }
    let Options {
        map_size,
        kept_revisions,
    } = shared.options;
    log::trim(log, writing, kept_revisions, map_size / 4)?;
    let new_size = content::bytes(kv, writing)?;
    if new_size > size && new_size + content::bytes(log, writing)? > map_size {
        return Err(MdbError::MapFull.into());
    }
    Ok(Applied::Changed(next))
}

fn make(
    tables: &Tables,
    writing: &mut RwTxn<'_>,
    changes: &mut Writer,
    (revision, write): (Revision, &Write),
) -> heed::Result<()> {
    match write {
        Write::Put { key, value } => {
            tables
                .kv
                .put(writing, key, &content::stored(revision, value))?;
            changes.put(writing, key, value)
        }
        Write::Delete { key } => delete(tables, writing, changes, key),
        Write::DeleteRange { range } => {
            for key in content::keys(tables.kv, writing, range)? {
                delete(tables, writing, changes, &key)?;
            }
            Ok(())
        }
    }
}

fn delete(
    tables: &Tables,
    writing: &mut RwTxn<'_>,
    changes: &mut Writer,
    key: &[u8],
) -> heed::Result<()> {
    if tables.kv.delete(writing, key)? {
        changes.deleted(writing, key)?;
    }
    Ok(())
}
