//! Reading the tables within a transaction.

use std::ops::Bound;

use heed::types::Bytes;
use heed::{Database, MdbError, RoTxn};

use super::log;
use crate::{Answer, Compare, Entry, KeyRange, Read, Revision};

/// A table of bytes.
pub(super) type Table = Database<'static, Bytes, Bytes>;

/// The tables a transaction works on.
#[derive(Clone, Copy)]
pub(super) struct Tables {
    /// Key to revision (8 bytes, big endian) and value.
    pub(super) kv: Table,
    /// Revision and index to change; see [`log`].
    pub(super) log: Table,
}

/// A transaction as far as reading goes; both kinds turn into it.
pub(super) type AnyTxn<'a> = RoTxn<'a>;

/// Performs `reads` as of `txn`.
pub(super) fn answer(tables: &Tables, txn: &AnyTxn<'_>, reads: &[Read]) -> heed::Result<Answer> {
    let revision = log::revision(tables.log, txn)?;
    let lists = reads
        .iter()
        .map(|read| perform(tables.kv, txn, read))
        .collect::<Result<_, _>>()?;
    Ok(Answer { revision, lists })
}

/// Whether all of `compares` hold as of `txn`.
pub(super) fn hold(kv: Table, txn: &AnyTxn<'_>, compares: &[Compare]) -> heed::Result<bool> {
    for compare in compares {
        let holds = match compare {
            Compare::At { key, revision } => revision_of(kv, txn, key)? == *revision,
            Compare::NoneNewer { range, revision } => {
                entries(kv, txn, range)?.try_fold(true, |holds, entry| {
                    let (_, stored) = entry?;
                    Ok::<_, heed::Error>(holds && parse(stored)?.0 <= *revision)
                })?
            }
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The keys of `range` as of `txn`, in order.
pub(super) fn keys(kv: Table, txn: &AnyTxn<'_>, range: &KeyRange) -> heed::Result<Vec<Vec<u8>>> {
    entries(kv, txn, range)?
        .map(|entry| Ok(entry?.0.to_vec()))
        .collect()
}

/// The room a table takes, in bytes of whole pages.
pub(super) fn bytes(table: Table, txn: &AnyTxn<'_>) -> heed::Result<usize> {
    let stat = table.stat(txn)?;
    let pages = stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
    Ok(pages.saturating_mul(usize::try_from(stat.page_size).unwrap_or(usize::MAX)))
}

/// What is stored in `kv` for a key set to `value` at `revision`.
pub(super) fn stored(revision: Revision, value: &[u8]) -> Vec<u8> {
    [&revision.0.to_be_bytes(), value].concat()
}

fn perform(kv: Table, txn: &AnyTxn<'_>, read: &Read) -> heed::Result<Vec<Entry>> {
    match read {
        Read::Get(key) => kv
            .get(txn, key)?
            .map(|stored| entry(key, stored))
            .into_iter()
            .collect(),
        Read::List(range) => entries(kv, txn, range)?
            .map(|pair| pair.and_then(|(key, stored)| entry(key, stored)))
            .collect(),
    }
}

fn revision_of(kv: Table, txn: &AnyTxn<'_>, key: &[u8]) -> heed::Result<Revision> {
    kv.get(txn, key)?
        .map_or(Ok(Revision::ABSENT), |stored| Ok(parse(stored)?.0))
}

/// An empty bound is no bound: LMDB knows no empty key.
fn entries<'txn>(
    kv: Table,
    txn: &'txn AnyTxn<'_>,
    range: &KeyRange,
) -> heed::Result<impl Iterator<Item = heed::Result<(&'txn [u8], &'txn [u8])>> + use<'txn>> {
    let start = match range.start() {
        [] => Bound::Unbounded,
        start => Bound::Included(start),
    };
    let found = if range.is_empty() {
        None
    } else {
        Some(kv.range(txn, &(start, Bound::Excluded(range.end())))?)
    };
    Ok(found.into_iter().flatten())
}

fn entry(key: &[u8], stored: &[u8]) -> heed::Result<Entry> {
    let (revision, value) = parse(stored)?;
    Ok(Entry {
        key: key.to_vec(),
        value: value.to_vec(),
        revision,
    })
}

fn parse(stored: &[u8]) -> heed::Result<(Revision, &[u8])> {
    let (revision, value) = stored.split_first_chunk().ok_or(MdbError::Corrupted)?;
    Ok((Revision(u64::from_be_bytes(*revision)), value))
}
