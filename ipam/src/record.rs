//! Answers of the store as records.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Answer, Entry, Revision};
use berth_types::{AddressRecord, BadRecord, Block, Record, keys};

use crate::clock::Clock;
use crate::hint::SlotHint;

/// The only entry of read `n`, when it found one.
pub(crate) fn one(answer: &Answer, n: usize) -> Option<&Entry> {
    answer.lists.get(n)?.first()
}

/// The entries of read `n`.
pub(crate) fn list(answer: &Answer, n: usize) -> &[Entry] {
    answer.lists.get(n).map_or(&[], Vec::as_slice)
}

/// The only entry of read `n` as a record with its revision.
pub(crate) fn parse<R: Record>(
    answer: &Answer,
    n: usize,
) -> Result<Option<(Revision, R)>, BadRecord> {
    one(answer, n).map(decode).transpose()
}

/// An entry as a record with its revision.
pub(crate) fn decode<R: Record>(entry: &Entry) -> Result<(Revision, R), BadRecord> {
    let record = R::decode(String::from_utf8_lossy(&entry.key), &entry.value)?;
    Ok((entry.revision, record))
}

/// The addresses of a block in read `n`, as hints. A record that cannot be read counts as held, so
/// that it is left alone.
pub(crate) fn slots(
    answer: &Answer,
    n: usize,
    block: Block,
    clock: Clock,
) -> BTreeMap<IpAddr, SlotHint> {
    let inside = |address: &IpAddr| (block.first..=block.last()).contains(address);
    list(answer, n)
        .iter()
        .filter_map(|entry| {
            let address = keys::parse_address(&entry.key).filter(inside)?;
            let slot = decode::<AddressRecord>(entry).map_or_else(
                |_| SlotHint::held(entry.revision),
                |(r, record)| SlotHint::of(r, &record, clock),
            );
            Some((address, slot))
        })
        .collect()
}
