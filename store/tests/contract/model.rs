//! The embedded store against a model of a few lines, on random transactions.

use std::collections::BTreeMap;

use berth_store::embedded::EmbeddedStore;
use berth_store::{Answer, Compare, Entry, Event, KeyRange, Outcome, Read, Revision, Store as _};
use berth_store::{Txn, Watch as _, Write};
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

/// What a store is: the present content, the revision, and what happened.
#[derive(Default)]
struct Model {
    content: BTreeMap<Vec<u8>, (Revision, Vec<u8>)>,
    revision: Revision,
    history: Vec<Event>,
}

impl Model {
    fn read(&self, reads: &[Read]) -> Answer {
        let entry = |(key, (revision, value)): (&Vec<u8>, &(Revision, Vec<u8>))| Entry {
            key: key.clone(),
            value: value.clone(),
            revision: *revision,
        };
        let list = |read: &Read| match read {
            Read::Get(key) => self
                .content
                .get_key_value(key)
                .map(entry)
                .into_iter()
                .collect(),
            Read::List(range) => self
                .content
                .iter()
                .filter(|(key, _)| range.contains(key))
                .map(entry)
                .collect(),
        };
        Answer {
            revision: self.revision,
            lists: reads.iter().map(list).collect(),
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        match compare {
            Compare::At { key, revision } => {
                self.content.get(key).map_or(Revision::ABSENT, |(r, _)| *r) == *revision
            }
            Compare::NoneNewer { range, revision } => self
                .content
                .iter()
                .all(|(key, (r, _))| !range.contains(key) || r <= revision),
        }
    }

    fn commit(&mut self, txn: &Txn) -> Outcome {
        if !txn.compares.iter().all(|compare| self.holds(compare)) {
            return Outcome::Refused(self.read(&txn.otherwise));
        }
        let revision = Revision(self.revision.0 + 1);
        let before = self.history.len();
        for write in &txn.writes {
            match write {
                Write::Put { key, value } => {
                    self.content.insert(key.clone(), (revision, value.clone()));
                    let (key, value) = (key.clone(), value.clone());
                    self.history.push(Event::Put(Entry {
                        key,
                        value,
                        revision,
                    }));
                }
                Write::Delete { key } => self.delete(|other| other == key, revision),
                Write::DeleteRange { range } => self.delete(|key| range.contains(key), revision),
            }
        }
        if self.history.len() > before {
            self.revision = revision;
        }
        Outcome::Committed(self.revision)
    }

    fn delete(&mut self, doomed: impl Fn(&[u8]) -> bool, revision: Revision) {
        let keys: Vec<_> = self
            .content
            .keys()
            .filter(|key| doomed(key))
            .cloned()
            .collect();
        for key in keys {
            self.content.remove(&key);
            self.history.push(Event::Deleted { key, revision });
        }
    }
}

/// One step of a test.
#[derive(Clone, Debug)]
enum Step {
    Commit(Txn),
    Read(Vec<Read>),
    Reopen,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    // Few keys, so that they meet; some are prefixes of others.
    prop::sample::select(vec!["\0", "a", "a/", "a/1", "a/2", "b", "b\0", "c"])
        .prop_map(|key| key.as_bytes().to_vec())
}

fn range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        key().prop_map(KeyRange::prefix),
        (key(), key()).prop_map(|(first, last)| KeyRange::inclusive(first, last)),
        Just(KeyRange::prefix("")),
        Just(KeyRange::inclusive("", "b")),
    ]
}

fn read() -> impl Strategy<Value = Read> {
    prop_oneof![key().prop_map(Read::Get), range().prop_map(Read::List)]
}

fn compare() -> impl Strategy<Value = Compare> {
    let revision = || (0..12_u64).prop_map(Revision);
    prop_oneof![
        (key(), revision()).prop_map(|(key, revision)| Compare::At { key, revision }),
        (range(), revision()).prop_map(|(range, revision)| Compare::NoneNewer { range, revision }),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        3 => (key(), vec(any::<u8>(), 0..6)).prop_map(|(key, value)| Write::Put { key, value }),
        1 => key().prop_map(|key| Write::Delete { key }),
        1 => range().prop_map(|range| Write::DeleteRange { range }),
    ]
}

fn txn() -> impl Strategy<Value = Txn> {
    (vec(compare(), 0..2), vec(write(), 0..4), vec(read(), 0..3)).prop_map(
        |(compares, writes, otherwise)| Txn {
            compares,
            writes: apart(writes),
            otherwise,
        },
    )
}

/// Drops deletions that would meet a put, and second puts: such transactions are rejected.
fn apart(writes: Vec<Write>) -> Vec<Write> {
    let mut kept: Vec<Write> = Vec::new();
    for write in writes {
        let meets = kept.iter().any(|other| match (other, &write) {
            (Write::Put { key: a, .. }, Write::Put { key: b, .. } | Write::Delete { key: b })
            | (Write::Delete { key: a }, Write::Put { key: b, .. }) => a == b,
            (Write::Put { key, .. }, Write::DeleteRange { range })
            | (Write::DeleteRange { range }, Write::Put { key, .. }) => range.contains(key),
            _ => false,
        });
        if !meets {
            kept.push(write);
        }
    }
    kept
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => txn().prop_map(Step::Commit),
        3 => vec(read(), 0..4).prop_map(Step::Read),
        1 => Just(Step::Reopen),
    ]
}

async fn run(steps: &[Step]) {
    let home = TempDir::new().expect("temporary folder");
    let open = || EmbeddedStore::open(home.path()).expect("open");
    let mut store = open();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Commit(txn) => {
                let outcome = store.commit(txn).await.expect("commit");
                assert_eq!(outcome, model.commit(txn), "{txn:?}");
            }
            Step::Read(reads) => {
                assert_eq!(store.read(reads).await.expect("read"), model.read(reads));
            }
            Step::Reopen => {
                drop(store);
                store = open();
            }
        }
    }
    let everything = KeyRange::inclusive("", "\u{7f}");
    let mut watch = store.watch(&everything, Revision(0)).await.expect("watch");
    let mut seen = Vec::new();
    while seen.len() < model.history.len() {
        seen.extend(watch.next().await.expect("next"));
    }
    assert_eq!(seen, model.history);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_store_does_what_the_model_does(steps in vec(step(), 1..40)) {
        crate::block_on(run(&steps));
    }
}
