//! Transactions.

use berth_store::{Answer, AnyStore, Compare, KeyRange, Outcome, Read, Revision, Store as _};
use berth_store::{StoreError, Txn, Write};

use super::reading::{entry, keys};
use crate::fixture::{Fixture, between, commit, put, write};

pub(crate) async fn a_commit_is_seen_with_its_revision(fixture: &Fixture) {
    let store = fixture.open();
    let first = put(&store, "a", "1").await;
    let second = put(&store, "b", "2").await;
    assert!(first > Revision::ABSENT && second > first);
    let answer = fixture
        .open()
        .read(&[Read::List(between("a", "b"))])
        .await
        .expect("read");
    assert_eq!(
        answer.lists,
        [vec![entry("a", "1", first), entry("b", "2", second)]]
    );
    assert_eq!(answer.revision, second);
}

pub(crate) async fn a_key_that_changed_fails_the_compare(fixture: &Fixture) {
    let store = fixture.open();
    let first = put(&store, "a", "1").await;
    let second = put(&store, "a", "1").await;
    let cases = [
        ("the revision it has", Compare::at("a", second), true),
        ("the revision it had", Compare::at("a", first), false),
        (
            "a revision to come",
            Compare::at("a", Revision(second.0 + 1)),
            false,
        ),
        ("absent, but it exists", Compare::absent("a"), false),
        ("absent", Compare::absent("b"), true),
        (
            "at a revision, but it is absent",
            Compare::at("b", second),
            false,
        ),
    ];
    check_compares(&store, cases).await;
    write(&store, [Write::delete("a")]).await;
    let cases = [
        ("deleted is absent", Compare::absent("a"), true),
        ("deleted has no revision", Compare::at("a", second), false),
    ];
    check_compares(&store, cases).await;
}

pub(crate) async fn none_newer_sees_what_was_written_later(fixture: &Fixture) {
    let store = fixture.open();
    let one = put(&store, "p/1", "").await;
    let two = put(&store, "p/2", "").await;
    let other = put(&store, "q/1", "").await;
    let cases = [
        ("the newest of the range", none_newer("p/", two), true),
        ("later than the newest", none_newer("p/", other), true),
        ("another key is newer", none_newer("p/", one), false),
        (
            "both are newer than 0",
            none_newer("p/", Revision(0)),
            false,
        ),
        ("newer, but out of the range", none_newer("p/1", one), true),
    ];
    check_compares(&store, cases).await;
    put(&store, "p/1", "").await;
    check_compares(&store, [("written again", none_newer("p/", other), false)]).await;
}

pub(crate) async fn none_newer_does_not_see_a_deletion(fixture: &Fixture) {
    let store = fixture.open();
    let one = put(&store, "p/1", "").await;
    put(&store, "p/2", "").await;
    write(&store, [Write::delete("p/2")]).await;
    check_compares(&store, [("deleted", none_newer("p/", one), true)]).await;
    write(&store, [Write::delete("p/1")]).await;
    check_compares(
        &store,
        [("all deleted", none_newer("p/", Revision(0)), true)],
    )
    .await;
}

pub(crate) async fn none_newer_holds_for_a_range_without_keys(fixture: &Fixture) {
    let store = fixture.open();
    put(&store, "b", "").await;
    let of = |range| Compare::NoneNewer {
        range,
        revision: Revision(0),
    };
    let cases = [
        ("no key in it", of(KeyRange::prefix("p/")), true),
        ("end below start", of(between("z", "a")), true),
        ("nothing but 0xff", of(KeyRange::prefix([0xff])), true),
        ("up to the empty key", of(between("a", "")), true),
        ("from the lowest key", of(between("", "c")), false),
    ];
    check_compares(&store, cases).await;
}

pub(crate) async fn every_compare_must_hold(fixture: &Fixture) {
    let store = fixture.open();
    let one = put(&store, "a", "").await;
    let two = put(&store, "b", "").await;
    let compares = |a, b| Txn {
        compares: vec![
            Compare::at("a", a),
            Compare::at("b", b),
            Compare::absent("c"),
        ],
        writes: vec![Write::put("c", "")],
        ..Txn::default()
    };
    for (a, b) in [(two, two), (one, one), (two, one)] {
        let outcome = store.commit(&compares(a, b)).await.expect("commit");
        assert!(
            matches!(outcome, Outcome::Refused(_)),
            "{a} {b}: {outcome:?}"
        );
    }
    commit(&store, compares(one, two)).await;
    let outcome = store.commit(&compares(one, two)).await.expect("commit");
    assert!(
        matches!(outcome, Outcome::Refused(_)),
        "a second time: {outcome:?}"
    );
}

pub(crate) async fn a_refused_transaction_writes_nothing_and_takes_no_revision(fixture: &Fixture) {
    let store = fixture.open();
    let before = put(&store, "a", "1").await;
    let refused = Txn {
        compares: vec![Compare::absent("a")],
        writes: vec![
            Write::put("a", "2"),
            Write::put("b", "2"),
            Write::delete("c"),
        ],
        otherwise: vec![],
    };
    for _ in 0..3 {
        let outcome = store.commit(&refused).await.expect("commit");
        let answer = Answer {
            revision: before,
            lists: vec![],
        };
        assert_eq!(outcome, Outcome::Refused(answer));
    }
    let answer = store
        .read(&[Read::List(between("a", "z"))])
        .await
        .expect("read");
    assert_eq!(
        answer,
        Answer {
            revision: before,
            lists: vec![vec![entry("a", "1", before)]]
        }
    );
    assert_eq!(put(&store, "a", "2").await, Revision(before.0 + 1));
}

pub(crate) async fn a_refusal_reads_all_at_one_revision(fixture: &Fixture) {
    let (store, other) = (fixture.open(), fixture.open());
    put(&store, "taken", "").await;
    let refused = Txn {
        compares: vec![Compare::absent("taken")],
        writes: vec![Write::put("taken", "")],
        otherwise: vec![
            Read::Get(b"x/1".into()),
            Read::List(between("z", "a")),
            Read::List(KeyRange::prefix("x/")),
            Read::Get(b"x/2".into()),
        ],
    };
    let change = async {
        for round in 0..50 {
            let round = format!("{round}");
            write(
                &other,
                [Write::put("x/1", round.clone()), Write::put("x/2", round)],
            )
            .await;
            tokio::task::yield_now().await;
        }
    };
    let look = async {
        for _ in 0..50 {
            let outcome = store.commit(&refused).await.expect("commit");
            let Outcome::Refused(answer) = outcome else {
                panic!("{outcome:?}")
            };
            let [first, nothing, both, second] = answer.lists.as_slice() else {
                panic!("lists")
            };
            assert_eq!(&[first.as_slice(), second].concat(), both);
            assert!(nothing.is_empty());
            let mut values = both.iter().map(|entry| (&entry.value, entry.revision));
            assert_eq!(values.next(), values.next());
            assert!(both.iter().all(|entry| entry.revision <= answer.revision));
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(change, look);
}

pub(crate) async fn puts_and_deletions_happen_in_one_revision(fixture: &Fixture) {
    let store = fixture.open();
    let old = write(&store, [Write::put("a", "1"), Write::put("b", "1")]).await;
    let txn = Txn {
        compares: vec![Compare::at("a", old), Compare::at("b", old)],
        writes: vec![
            Write::put("c", "2"),
            Write::delete("a"),
            Write::put("b", "2"),
        ],
        otherwise: vec![],
    };
    let new = commit(&store, txn).await;
    assert_eq!(new, Revision(old.0 + 1));
    let answer = store
        .read(&[Read::List(between("a", "z"))])
        .await
        .expect("read");
    assert_eq!(
        answer.lists,
        [vec![entry("b", "2", new), entry("c", "2", new)]]
    );
}

pub(crate) async fn a_range_is_deleted_at_once(fixture: &Fixture) {
    let store = fixture.open();
    for key in ["p", "p/1", "p/2", "p/3", "p0"] {
        put(&store, key, "").await;
    }
    let range = KeyRange::prefix("p/");
    let deleted = write(
        &store,
        [Write::DeleteRange {
            range: range.clone(),
        }],
    )
    .await;
    assert_eq!(keys(&store, between("", "z")).await, ["p", "p0"]);
    let again = write(&store, [Write::DeleteRange { range }, Write::delete("p/1")]).await;
    assert_eq!(again, deleted, "deleting nothing takes no revision");
}

pub(crate) async fn a_transaction_without_writes_answers_its_compares(fixture: &Fixture) {
    let store = fixture.open();
    let revision = put(&store, "a", "").await;
    assert_eq!(commit(&store, Txn::default()).await, revision);
    let question = |compare| Txn {
        compares: vec![compare],
        writes: vec![],
        otherwise: vec![Read::Get(b"a".into())],
    };
    let yes = store
        .commit(&question(Compare::at("a", revision)))
        .await
        .expect("commit");
    assert_eq!(yes, Outcome::Committed(revision));
    let no = store
        .commit(&question(Compare::absent("a")))
        .await
        .expect("commit");
    let lists = vec![vec![entry("a", "", revision)]];
    assert_eq!(no, Outcome::Refused(Answer { revision, lists }));
}

pub(crate) async fn revisions_are_never_used_twice(fixture: &Fixture) {
    let mut last = Revision(0);
    for round in 0..5 {
        let store = fixture.open();
        for write_ in [
            Write::put("a", "x"),
            Write::put("b", "x"),
            Write::delete("a"),
        ] {
            let revision = write(&store, [write_]).await;
            assert!(revision > last, "round {round}: {revision} after {last}");
            last = revision;
        }
        let everything = Write::DeleteRange {
            range: between("", "z"),
        };
        last = write(&store, [everything]).await;
        drop(store);
        let empty = fixture
            .open()
            .read(&[Read::List(between("", "z"))])
            .await
            .expect("read");
        assert_eq!(
            empty,
            Answer {
                revision: last,
                lists: vec![vec![]]
            }
        );
    }
}

pub(crate) async fn what_is_out_of_bounds_is_rejected(fixture: &Fixture) {
    let store = fixture.open();
    let key = vec![b'k'; 511];
    write(&store, [Write::put(key.clone(), vec![7; 1024 * 1024])]).await;
    let long = vec![b'k'; 512];
    let bad = [
        Write::put("", ""),
        Write::put(long.clone(), ""),
        Write::delete(long),
        Write::put("k", vec![7; 1024 * 1024 + 1]),
    ];
    let good = || Write::put("good", "");
    for write in bad {
        let txn = Txn {
            writes: vec![good(), write],
            ..Txn::default()
        };
        let error = store.commit(&txn).await.expect_err("out of bounds");
        assert!(matches!(error, StoreError::Rejected { .. }), "{error:?}");
    }
    let many = |count: usize| Txn {
        writes: (0..count)
            .map(|n| Write::put(format!("n/{n}"), ""))
            .collect(),
        ..Txn::default()
    };
    let error = store.commit(&many(129)).await.expect_err("out of bounds");
    assert!(matches!(error, StoreError::Rejected { .. }), "{error:?}");
    commit(&store, many(128)).await;
    assert!(keys(&store, KeyRange::prefix("good")).await.is_empty());
}

fn none_newer(prefix: &str, revision: Revision) -> Compare {
    Compare::NoneNewer {
        range: KeyRange::prefix(prefix),
        revision,
    }
}

async fn check_compares<const N: usize>(store: &AnyStore, cases: [(&str, Compare, bool); N]) {
    for (case, compare, holds) in cases {
        // Once deciding on a snapshot, once within the writing transaction.
        for writes in [vec![], vec![Write::delete("never there")]] {
            let txn = Txn {
                compares: vec![compare.clone()],
                writes,
                otherwise: vec![],
            };
            let outcome = store.commit(&txn).await.expect("commit");
            assert_eq!(
                matches!(outcome, Outcome::Committed(_)),
                holds,
                "case: {case}"
            );
        }
    }
}
