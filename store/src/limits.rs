//! What both stores accept, so that a request good for one is good for the other.

use std::collections::BTreeSet;

use crate::{Compare, KeyRange, Read, Txn, Write};

/// LMDB's limit.
const MAX_KEY: usize = 511;
const MAX_VALUE: usize = 1024 * 1024;
/// etcd's default `--max-txn-ops`.
const MAX_OPERATIONS: usize = 128;

/// Says what is wrong with `reads`, if anything.
pub(crate) fn check_reads(reads: &[Read]) -> Result<(), String> {
    check_count("reads", reads.len())?;
    for read in reads {
        match read {
            Read::Get(key) => check_key(key)?,
            Read::List(range) => check_range(range)?,
        }
    }
    Ok(())
}

/// Says what is wrong with `txn`, if anything.
pub(crate) fn check_txn(txn: &Txn) -> Result<(), String> {
    let Txn {
        compares,
        writes,
        otherwise,
    } = txn;
    check_count("compares", compares.len())?;
    for compare in compares {
        match compare {
            Compare::At { key, revision: _ } => check_key(key)?,
            Compare::NoneNewer { range, revision: _ } => check_range(range)?,
        }
    }
    check_count("writes", writes.len())?;
    for write in writes {
        match write {
            Write::Put { key, value } => {
                check_key(key)?;
                check_value(key, value)?;
            }
            Write::Delete { key } => check_key(key)?,
            Write::DeleteRange { range } => check_range(range)?,
        }
    }
    check_overlap(writes)?;
    check_reads(otherwise)
}

fn check_count(what: &str, count: usize) -> Result<(), String> {
    if count > MAX_OPERATIONS {
        return Err(format!("{count} {what} are more than {MAX_OPERATIONS}"));
    }
    Ok(())
}

fn check_key(key: &[u8]) -> Result<(), String> {
    if key.is_empty() || key.len() > MAX_KEY {
        let size = key.len();
        return Err(format!("a key of {size} bytes; keys have 1 to {MAX_KEY}"));
    }
    Ok(())
}

/// One byte more than a key has: [`KeyRange::inclusive`] appends it.
fn check_range(range: &KeyRange) -> Result<(), String> {
    let longest = range.start().len().max(range.end().len());
    if longest > MAX_KEY + 1 {
        return Err(format!(
            "a range bound of {longest} bytes; keys have 1 to {MAX_KEY}"
        ));
    }
    Ok(())
}

fn check_value(key: &[u8], value: &[u8]) -> Result<(), String> {
    if value.len() > MAX_VALUE {
        let (name, size) = (key.escape_ascii(), value.len());
        return Err(format!(
            "value of {name} has {size} bytes, more than {MAX_VALUE}"
        ));
    }
    Ok(())
}

/// A key put twice, or put and deleted, has no defined end.
fn check_overlap(writes: &[Write]) -> Result<(), String> {
    let mut puts = BTreeSet::new();
    for write in writes {
        if let Write::Put { key, .. } = write
            && !puts.insert(key.as_slice())
        {
            return Err(format!("{} is written twice", key.escape_ascii()));
        }
    }
    for write in writes {
        let hit = match write {
            Write::Put { .. } => None,
            Write::Delete { key } => puts.get(key.as_slice()),
            Write::DeleteRange { range } => puts.iter().find(|key| range.contains(key)),
        };
        if let Some(key) = hit {
            return Err(format!(
                "{} is both written and deleted",
                key.escape_ascii()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_at_the_limits_passes() {
        let key = vec![b'k'; MAX_KEY];
        let range = KeyRange::inclusive(key.clone(), key.clone());
        let txn = Txn {
            compares: vec![Compare::absent(key.clone()); MAX_OPERATIONS],
            writes: vec![Write::put(key, vec![0; MAX_VALUE])],
            otherwise: vec![Read::List(range)],
        };
        assert_eq!(check_txn(&txn), Ok(()));
    }

    #[test]
    fn a_request_beyond_a_limit_is_told_which() {
        let writes = |writes| Txn {
            writes,
            ..Txn::default()
        };
        let long = vec![b'k'; MAX_KEY + 1];
        let cases = [
            (writes(vec![Write::put("", "v")]), "key of 0 bytes"),
            (
                writes(vec![Write::put(long.clone(), "v")]),
                "key of 512 bytes",
            ),
            (writes(vec![Write::delete(long)]), "key of 512 bytes"),
            (
                writes(vec![Write::put("k", vec![0; MAX_VALUE + 1])]),
                "value of k has 1048577",
            ),
            (
                writes(vec![Write::put("k", "1"), Write::put("k", "2")]),
                "k is written twice",
            ),
            (
                writes(vec![
                    Write::DeleteRange {
                        range: KeyRange::prefix("k"),
                    },
                    Write::put("k", ""),
                ]),
                "k is both written and deleted",
            ),
            (
                Txn {
                    otherwise: vec![Read::Get(b"k".into()); 129],
                    ..Txn::default()
                },
                "129 reads",
            ),
        ];
        for (txn, words) in cases {
            let problem = check_txn(&txn).expect_err(words);
            assert!(
                problem.contains(words),
                "{problem:?} should contain {words:?}"
            );
        }
    }
}
