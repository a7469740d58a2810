//! What is asked of a store, and what it answers: plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in the store's history; larger is later. 0 means "never written".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a key that does not exist.
    pub const ABSENT: Self = Self(0);
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A half-open range of keys: `start <= key < end`, in byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    start: Vec<u8>,
    end: Vec<u8>,
}

impl KeyRange {
    /// Every key that begins with `prefix`.
    ///
    /// A prefix of nothing but `0xff` bytes has no end; such keys are not used here, and the range
    /// is then empty.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let start = prefix.into();
        let mut end = start.clone();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                break;
            }
        }
        Self { start, end }
    }

    /// Every key from `first` to `last`, both included.
    pub fn inclusive(first: impl Into<Vec<u8>>, last: impl Into<Vec<u8>>) -> Self {
        let mut end = last.into();
        end.push(0);
        Self {
            start: first.into(),
            end,
        }
    }

    /// The lowest key that may be in the range.
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// The lowest key above the range.
    pub fn end(&self) -> &[u8] {
        &self.end
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && key < self.end.as_slice()
    }
}

/// A condition a transaction depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The key was last written at exactly this revision; [`Revision::ABSENT`] means it does not
    /// exist.
    At {
        /// The key compared.
        key: Vec<u8>,
        /// Its expected revision.
        revision: Revision,
    },
    /// No key that exists in `range` was written after `revision`. A *deletion* leaves no key and
    /// so does not count.
    NoneNewer {
        /// The keys compared.
        range: KeyRange,
        /// The newest revision any of them may have.
        revision: Revision,
    },
}

impl Compare {
    /// The key does not exist.
    pub fn absent(key: impl Into<Vec<u8>>) -> Self {
        Self::At {
            key: key.into(),
            revision: Revision::ABSENT,
        }
    }

    /// The key was last written at `revision`.
    pub fn at(key: impl Into<Vec<u8>>, revision: Revision) -> Self {
        Self::At {
            key: key.into(),
            revision,
        }
    }
}

/// A change made by a transaction. No two writes of one transaction may touch the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the key to the value.
    Put {
        /// At most 511 bytes, not empty.
        key: Vec<u8>,
        /// At most 1 MiB.
        value: Vec<u8>,
    },
    /// Removes the key; nothing happens when it does not exist.
    Delete {
        /// The key removed.
        key: Vec<u8>,
    },
    /// Removes every key of the range.
    DeleteRange {
        /// The keys removed.
        range: KeyRange,
    },
}

impl Write {
    /// Sets `key` to `value`.
    pub fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self::Put {
            key: key.into(),
            value: value.into(),
        }
    }

    /// Removes `key`.
    pub fn delete(key: impl Into<Vec<u8>>) -> Self {
        Self::Delete { key: key.into() }
    }
}

/// A question about the present content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// One key: a list of one entry, or of none.
    Get(Vec<u8>),
    /// Every key of a range, in order. However many there are, all are of one revision.
    ///
    /// In a transaction's `otherwise` part the whole answer must fit one message (256 MiB are taken
    /// from etcd), so keep ranges short there.
    List(KeyRange),
}

/// All or nothing: the writes happen, in one revision, if and only if every compare holds.
///
/// At most 128 compares, 128 writes and 128 reads (etcd's default `--max-txn-ops`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// The conditions.
    pub compares: Vec<Compare>,
    /// What is changed when they hold.
    pub writes: Vec<Write>,
    /// What is read, at the same moment, when they do not.
    pub otherwise: Vec<Read>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// The revision that wrote it last.
    pub revision: Revision,
}

/// What reads found, all at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The store's revision at that moment.
    pub revision: Revision,
    /// One list per read.
    pub lists: Vec<Vec<Entry>>,
}

/// How a transaction ended. Both are success: the store decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every compare held and every write was made, at this revision.
    Committed(Revision),
    /// Some compare did not hold; nothing was written.
    Refused(Answer),
}

/// One change, as a watch reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key was set.
    Put(Entry),
    /// A key was removed.
    Deleted {
        /// The key.
        key: Vec<u8>,
        /// The revision that removed it.
        revision: Revision,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_what_begins_with_it_and_nothing_else() {
        let range = KeyRange::prefix("/berth/v1/pools/");
        assert!(range.contains(b"/berth/v1/pools/"));
        assert!(range.contains(b"/berth/v1/pools/prod"));
        assert!(range.contains(b"/berth/v1/pools/\xff\xff"));
        assert!(!range.contains(b"/berth/v1/pools"));
        assert!(!range.contains(b"/berth/v1/pools0"));
    }

    #[test]
    fn a_prefix_that_ends_in_the_highest_byte_carries() {
        let range = KeyRange::prefix(vec![1, 0xff]);
        assert!(range.contains(&[1, 0xff, 9]));
        assert!(!range.contains(&[2]));
    }

    #[test]
    fn an_inclusive_range_holds_both_ends() {
        let range = KeyRange::inclusive("a", "c");
        for (key, inside) in [
            ("a", true),
            ("b", true),
            ("c", true),
            ("c\0", false),
            ("d", false),
        ] {
            assert_eq!(range.contains(key.as_bytes()), inside, "key: {key:?}");
        }
    }
}
