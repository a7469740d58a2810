//! Reading.

use berth_store::{AnyStore, Entry, KeyRange, LineageSeen, Read, Revision, Store as _, Txn, Write};

use crate::fixture::{Fixture, between, put, write};

pub(crate) async fn a_key_that_was_never_written_is_absent(fixture: &Fixture) {
    let store = fixture.open();
    let answer = store.read(&[Read::Get(b"a".into())]).await.expect("read");
    assert_eq!(answer.lists, [vec![]]);
}

pub(crate) async fn whoever_asks_a_store_sees_one_lineage(fixture: &Fixture) {
    let [reader, writer, lister] = [(); 3].map(|()| fixture.open());
    reader.read(&[Read::Get(b"a".into())]).await.expect("read");
    let LineageSeen::One(lineage) = reader.lineage() else {
        panic!("{:?}", reader.lineage())
    };
    assert!(!lineage.to_string().is_empty());
    writer.commit(&Txn::default()).await.expect("commit");
    assert_eq!(writer.lineage(), reader.lineage(), "by a commit");
    let all = [Read::List(KeyRange::prefix("a")), Read::Get(b"b".into())];
    lister.read(&all).await.expect("read");
    assert_eq!(lister.clone().lineage(), reader.lineage(), "by a list");
}

pub(crate) async fn a_list_is_in_key_order_and_keeps_to_its_range(fixture: &Fixture) {
    let store = fixture.open();
    for key in ["b/2", "b", "a/1", "b/10", "b/1", "c/1", "b0"] {
        put(&store, key, key).await;
    }
    let cases = [
        ("prefix", KeyRange::prefix("b/"), vec!["b/1", "b/10", "b/2"]),
        ("both ends", between("b", "b/10"), vec!["b", "b/1", "b/10"]),
        ("one key", between("b", "b"), vec!["b"]),
        ("nothing there", KeyRange::prefix("d"), vec![]),
    ];
    for (case, range, expected) in cases {
        assert_eq!(keys(&store, range).await, expected, "case: {case}");
    }
}

pub(crate) async fn odd_ranges_hold_what_they_say(fixture: &Fixture) {
    let store = fixture.open();
    let all = ["\0", "a", "b", "\u{7f}"];
    for key in all {
        put(&store, key, "").await;
    }
    let cases = [
        ("from the lowest key", between("", "a"), vec!["\0", "a"]),
        ("end below start", between("b", "a"), vec![]),
        ("up to the empty key", between("a", ""), vec![]),
        ("the empty prefix has no end", KeyRange::prefix(""), vec![]),
        ("nothing but 0xff", KeyRange::prefix([0xff]), vec![]),
    ];
    for (case, range, expected) in cases {
        assert_eq!(keys(&store, range.clone()).await, expected, "case: {case}");
        let deleted = write(&store, [Write::DeleteRange { range }]).await;
        assert!(deleted > Revision(0), "case: {case}");
        let left = all.len() - expected.len();
        assert_eq!(
            keys(&store, between("", "\u{7f}")).await.len(),
            left,
            "case: {case}"
        );
        for key in all {
            put(&store, key, "").await;
        }
    }
}

pub(crate) async fn several_reads_answer_in_their_order_at_one_revision(fixture: &Fixture) {
    let store = fixture.open();
    let one = put(&store, "a/1", "one").await;
    let two = put(&store, "b/1", "two").await;
    let reads = [
        Read::List(KeyRange::prefix("b/")),
        Read::List(between("z", "a")),
        Read::Get(b"a/1".into()),
        Read::Get(b"missing".into()),
        Read::List(KeyRange::prefix("")),
        Read::List(KeyRange::prefix("a/")),
    ];
    let answer = store.read(&reads).await.expect("read");
    let (a, b) = (entry("a/1", "one", one), entry("b/1", "two", two));
    assert_eq!(
        answer.lists,
        [vec![b], vec![], vec![a.clone()], vec![], vec![], vec![a]]
    );
    assert_eq!(answer.revision, two);
    for reads in [&reads[..1], &reads[1..2], &[]] {
        assert_eq!(
            store.read(reads).await.expect("read").revision,
            two,
            "{reads:?}"
        );
    }
}

pub(crate) async fn a_list_of_20_000_keys_is_whole_and_of_one_revision(fixture: &Fixture) {
    const KEYS: usize = 20_000;
    let store = fixture.open();
    let value = "x".repeat(600);
    let numbers: Vec<_> = (0..KEYS).collect();
    for chunk in numbers.chunks(128) {
        let puts = chunk
            .iter()
            .map(|n| Write::put(format!("many/{n:05}"), value.clone()));
        write(&store, puts.collect::<Vec<_>>()).await;
    }
    let other = fixture.open();
    let change = async {
        for round in 0..20 {
            // One revision changes the first and the last key: a list shows both or neither.
            let round = round.to_string();
            let ends = ["many/00000", "many/19999"];
            write(&other, ends.map(|key| Write::put(key, round.clone()))).await;
            tokio::task::yield_now().await;
        }
    };
    let list = async {
        for _ in 0..3 {
            let reads = [
                Read::List(KeyRange::prefix("many/")),
                Read::Get(b"many/00000".into()),
            ];
            let answer = store.read(&reads).await.expect("read");
            let [all, first] = answer.lists.as_slice() else {
                panic!("two lists")
            };
            assert_eq!(all.len(), KEYS);
            assert!(all.is_sorted_by(|a, b| a.key < b.key));
            assert_eq!(all[0], first[0]);
            assert_eq!(all[0].value, all[KEYS - 1].value);
            assert!(all.iter().all(|entry| entry.revision <= answer.revision));
        }
    };
    tokio::join!(change, list);
}

pub(crate) async fn large_values_come_back_unchanged(fixture: &Fixture) {
    const MIB: usize = 1024 * 1024;
    let store = fixture.open();
    let value = |number: u8| {
        (0..MIB)
            .map(|i| number.wrapping_add(i.to_le_bytes()[0]))
            .collect()
    };
    for number in 0..12 {
        write(
            &store,
            [Write::put(
                format!("large/{number:02}"),
                Vec::clone(&value(number)),
            )],
        )
        .await;
    }
    let reads = [
        Read::List(KeyRange::prefix("large/")),
        Read::Get(b"large/03".into()),
    ];
    for reads in [&reads[..], &reads[..1]] {
        let answer = store.read(reads).await.expect("read");
        let values: Vec<Vec<u8>> = answer.lists[0].iter().map(|e| e.value.clone()).collect();
        assert!(
            values == (0..12).map(value).collect::<Vec<_>>(),
            "the values differ"
        );
    }
}

pub(super) fn entry(key: &str, value: &str, revision: Revision) -> Entry {
    Entry {
        key: key.into(),
        value: value.into(),
        revision,
    }
}

pub(super) async fn keys(store: &AnyStore, range: KeyRange) -> Vec<String> {
    let answer = store.read(&[Read::List(range)]).await.expect("read");
    let text = |entry: Entry| String::from_utf8(entry.key).expect("text");
    answer.lists.into_iter().flatten().map(text).collect()
}
