//! Which store it was that answered: what tells a store from its copy.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

/// A store's own mark; two stores never share one, however alike their content is.
///
/// For etcd its cluster id, which a restored cluster has anew when it was given another
/// `--initial-cluster-token` or other peer URLs, **and else keeps**. For the embedded store a random
/// number, which changes when its file is put in place of another. So another lineage proves
/// another store, and the same one proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(String);

impl Lineage {
    /// The mark, as the store spells it.
    pub fn new(mark: impl Into<String>) -> Self {
        Self(mark.into())
    }

    /// etcd's number in the spelling of `etcdctl`.
    pub(crate) fn of_cluster(id: u64) -> Self {
        Self(format!("{id:x}"))
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose answers a store's handle has brought so far. It only ever goes forward, so whoever looks
/// after its call was answered sees that answer counted, whatever other calls are under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineageSeen {
    /// None has come yet.
    Nobody,
    /// All came from this one.
    One(Lineage),
    /// They came from more than one: the store was replaced, or endpoints of two are mixed.
    Several,
}

/// The memory of one handle and its clones.
#[derive(Debug, Default)]
pub(crate) struct Answerers {
    first: OnceLock<u64>,
    several: AtomicBool,
}

impl Answerers {
    /// Counts an answer of the cluster `id`; before the answer is handed on.
    pub(crate) fn note(&self, id: u64) {
        if *self.first.get_or_init(|| id) != id {
            self.several.store(true, Ordering::Release);
        }
    }

    /// Who has answered.
    pub(crate) fn seen(&self) -> LineageSeen {
        match self.first.get() {
            None => LineageSeen::Nobody,
            Some(_) if self.several.load(Ordering::Acquire) => LineageSeen::Several,
            Some(id) => LineageSeen::One(Lineage::of_cluster(*id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_store_is_never_forgotten() {
        let answerers = Answerers::default();
        assert_eq!(answerers.seen(), LineageSeen::Nobody);
        answerers.note(0xab);
        answerers.note(0xab);
        assert_eq!(answerers.seen(), LineageSeen::One(Lineage::new("ab")));
        answerers.note(0xcd);
        answerers.note(0xab);
        assert_eq!(
            answerers.seen(),
            LineageSeen::Several,
            "an old answer came late"
        );
    }
}
