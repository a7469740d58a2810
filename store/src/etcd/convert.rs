//! Our words in etcd's, and back.

use etcd_client as etcd;
use etcd_client::{CompareOp, DeleteOptions, GetOptions, TxnOp, TxnOpResponse};

use crate::lineage::Answerers;
use crate::{Answer, Compare, Entry, Event, KeyRange, Outcome, Read, Revision, Txn, Write};

/// A range in etcd's terms; `None` when nothing can be in it.
///
/// There an empty end makes the range a single key and an end of one zero byte removes its upper
/// bound, so ranges like these must never be sent.
pub(super) fn bounds(range: &KeyRange) -> Option<(Vec<u8>, Vec<u8>)> {
    let start = match range.start() {
        [] => vec![0],
        start => start.to_vec(),
    };
    (start.as_slice() < range.end()).then(|| (start, range.end().to_vec()))
}

/// A revision as etcd's signed number.
pub(super) fn to_number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// The revision of an answer, whose sender is noted.
pub(super) fn revision(
    header: Option<&etcd::ResponseHeader>,
    answerers: &Answerers,
) -> Result<Revision, etcd::Error> {
    let header = header.ok_or_else(|| etcd::Error::Internal("answer without header".to_owned()))?;
    answerers.note(header.cluster_id());
    Ok(from_number(header.revision()))
}

/// What [`Read::Get`] or a page of [`Read::List`] found.
pub(super) fn entries(found: Vec<etcd::KeyValue>) -> Vec<Entry> {
    let entry = |found: etcd::KeyValue| {
        let revision = from_number(found.mod_revision());
        let (key, value) = found.into_key_value();
        Entry {
            key,
            value,
            revision,
        }
    };
    found.into_iter().map(entry).collect()
}

/// The whole transaction.
pub(super) fn txn(txn: &Txn) -> etcd::Txn {
    let Txn {
        compares,
        writes,
        otherwise,
    } = txn;
    etcd::Txn::new()
        .when(compares.iter().filter_map(compare).collect::<Vec<_>>())
        .and_then(writes.iter().filter_map(write).collect::<Vec<_>>())
        .or_else(
            otherwise
                .iter()
                .filter_map(|read| get(read, 0))
                .collect::<Vec<_>>(),
        )
}

/// The question of one read, `None` when nothing can be found. `limit` 0 is none.
pub(super) fn get(read: &Read, limit: i64) -> Option<TxnOp> {
    let (key, options) = question(read, limit)?;
    Some(TxnOp::get(key, options))
}

/// Key and options of one read.
pub(super) fn question(read: &Read, limit: i64) -> Option<(Vec<u8>, Option<GetOptions>)> {
    match read {
        Read::Get(key) => Some((key.clone(), None)),
        Read::List(range) => {
            let (start, end) = bounds(range)?;
            Some((
                start,
                Some(GetOptions::new().with_range(end).with_limit(limit)),
            ))
        }
    }
}

/// The outcome of a transaction with these `otherwise` reads.
pub(super) fn outcome(
    otherwise: &[Read],
    response: &etcd::TxnResponse,
    answerers: &Answerers,
) -> Result<Outcome, etcd::Error> {
    let revision = revision(response.header(), answerers)?;
    if response.succeeded() {
        return Ok(Outcome::Committed(revision));
    }
    let found = response
        .op_responses()
        .into_iter()
        .map(|found| match found {
            TxnOpResponse::Get(mut found) => entries(found.take_kvs()),
            _ => Vec::new(),
        });
    Ok(Outcome::Refused(Answer {
        revision,
        lists: in_place(otherwise, found),
    }))
}

/// One list per read: of `found`, or empty where nothing was asked because nothing can be there.
pub(super) fn in_place<T: Default>(reads: &[Read], found: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = found;
    let list = |read| match get(read, 0) {
        Some(_asked) => found.next().unwrap_or_default(),
        None => T::default(),
    };
    reads.iter().map(list).collect()
}

/// One change, in our terms.
pub(super) fn event(event: &etcd::Event) -> Option<Event> {
    let found = event.kv()?;
    let (key, revision) = (found.key().to_vec(), from_number(found.mod_revision()));
    Some(match event.event_type() {
        etcd::EventType::Put => Event::Put(Entry {
            key,
            value: found.value().to_vec(),
            revision,
        }),
        etcd::EventType::Delete => Event::Deleted { key, revision },
    })
}

fn from_number(revision: i64) -> Revision {
    Revision(u64::try_from(revision).unwrap_or(0))
}

/// A missing key has revision 0 in etcd as well, and a range without keys passes any compare of
/// revisions that 0 passes.
fn compare(compare: &Compare) -> Option<etcd::Compare> {
    Some(match compare {
        Compare::At { key, revision } => {
            etcd::Compare::mod_revision(key.clone(), CompareOp::Equal, to_number(*revision))
        }
        Compare::NoneNewer { range, revision } => {
            let (start, end) = bounds(range)?;
            let limit = to_number(*revision).saturating_add(1);
            etcd::Compare::mod_revision(start, CompareOp::Less, limit).with_range(end)
        }
    })
}

fn write(write: &Write) -> Option<TxnOp> {
    Some(match write {
        Write::Put { key, value } => TxnOp::put(key.clone(), value.clone(), None),
        Write::Delete { key } => TxnOp::delete(key.clone(), None),
        Write::DeleteRange { range } => {
            let (start, end) = bounds(range)?;
            TxnOp::delete(start, Some(DeleteOptions::new().with_range(end)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_etcd_would_read_otherwise_is_never_sent() {
        let cases = [
            (
                "empty end: a single key in etcd",
                KeyRange::prefix(vec![0xff]),
            ),
            (
                "end of one zero byte: no end in etcd",
                KeyRange::inclusive("a", ""),
            ),
            ("end below start", KeyRange::inclusive("b", "a")),
            ("the empty key only", KeyRange::inclusive("", "")),
        ];
        for (case, range) in cases {
            assert_eq!(bounds(&range), None, "case: {case}");
        }
    }

    #[test]
    fn a_range_from_the_lowest_key_starts_at_the_lowest_that_etcd_has() {
        let range = KeyRange::inclusive("", "b");
        assert_eq!(bounds(&range), Some((vec![0], b"b\0".to_vec())));
    }
}
