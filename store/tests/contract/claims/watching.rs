//! Watching.

use std::time::Duration;

use berth_store::{AnyStore, AnyWatch, Event, KeyRange, Read, Revision, Store as _};
use berth_store::{StoreError, Watch as _, Write};

use super::reading::entry;
use crate::fixture::{Fixture, between, put, write};

pub(crate) async fn changes_come_in_order_and_by_whole_revisions(fixture: &Fixture) {
    let store = fixture.open();
    let start = revision(&store).await;
    let mut expected = Vec::new();
    for round in 0..30 {
        let keys: Vec<_> = (0..40).map(|n| format!("w/{n:02}")).collect();
        let value = round.to_string();
        let puts = keys
            .iter()
            .map(|key| Write::put(key.clone(), value.clone()));
        let written = write(&store, puts.collect::<Vec<_>>()).await;
        expected.extend(
            keys.iter()
                .map(|key| Event::Put(entry(key, &value, written))),
        );
        let gone = write(&store, [Write::delete("w/07")]).await;
        expected.push(Event::Deleted {
            key: b"w/07".into(),
            revision: gone,
        });
    }
    let mut watch = store
        .watch(&KeyRange::prefix("w/"), start)
        .await
        .expect("watch");
    let mut found: Vec<Event> = Vec::new();
    while found.len() < expected.len() {
        let batch = watch.next().await.expect("next");
        assert!(!batch.is_empty());
        let before = found.last().map(revision_of);
        assert!(
            before < batch.first().map(revision_of),
            "a revision was split"
        );
        found.extend(batch);
    }
    assert_eq!(found, expected);
}

pub(crate) async fn a_watch_sees_only_its_range(fixture: &Fixture) {
    let store = fixture.open();
    let start = revision(&store).await;
    write(
        &store,
        [
            Write::put("a", ""),
            Write::put("m/1", "1"),
            Write::put("z", ""),
        ],
    )
    .await;
    put(&store, "a", "").await;
    let range = Write::DeleteRange {
        range: between("a", "z"),
    };
    let last = write(&store, [range]).await;
    let mut watch = store
        .watch(&KeyRange::prefix("m/"), start)
        .await
        .expect("watch");
    let found = take(&mut watch, 2).await;
    let first = Revision(start.0 + 1);
    let expected = [
        Event::Put(entry("m/1", "1", first)),
        Event::Deleted {
            key: b"m/1".into(),
            revision: last,
        },
    ];
    assert_eq!(found, expected);
    let mut nothing = store.watch(&between("z", "a"), start).await.expect("watch");
    let waited = tokio::time::timeout(Duration::from_millis(200), nothing.next()).await;
    assert!(waited.is_err(), "{waited:?}");
}

pub(crate) async fn a_watch_resumes_where_it_was_left(fixture: &Fixture) {
    let store = fixture.open();
    let start = revision(&store).await;
    for number in 0..10 {
        put(&store, "w/1", &number.to_string()).await;
    }
    let mut all = store
        .watch(&KeyRange::prefix("w/"), start)
        .await
        .expect("watch");
    let all = take(&mut all, 10).await;
    for resumed in 0..10 {
        let after = revision_of(&all[resumed]);
        drop(fixture.open());
        let mut rest = fixture
            .open()
            .watch(&KeyRange::prefix("w/"), after)
            .await
            .expect("watch");
        put(&store, "w/more", "").await;
        let rest = take(&mut rest, 10 - resumed).await;
        assert_eq!(rest[..9 - resumed], all[resumed + 1..], "after {after}");
    }
}

pub(crate) async fn two_watches_see_the_same(fixture: &Fixture) {
    let store = fixture.open();
    let start = revision(&store).await;
    let range = KeyRange::prefix("w/");
    let mut one = store.watch(&range, start).await.expect("watch");
    let mut two = store.watch(&range, start).await.expect("watch");
    let changes = async {
        for number in 0..50 {
            put(&store, &format!("w/{}", number % 7), &number.to_string()).await;
            tokio::task::yield_now().await;
        }
    };
    let (one, two, ()) = tokio::join!(take(&mut one, 50), take(&mut two, 50), changes);
    assert_eq!(one, two);
    assert_eq!(one.len(), 50);
}

pub(crate) async fn a_watch_waits_for_what_is_yet_to_come(fixture: &Fixture) {
    let store = fixture.open();
    let start = revision(&store).await;
    let mut watch = store
        .watch(&KeyRange::prefix("w/"), start)
        .await
        .expect("watch");
    let waited = tokio::time::timeout(Duration::from_millis(200), watch.next()).await;
    assert!(waited.is_err(), "{waited:?}");
    let written = put(&fixture.open(), "w/1", "late").await;
    assert_eq!(
        take(&mut watch, 1).await,
        [Event::Put(entry("w/1", "late", written))]
    );
    // From beyond the present: what lies between is not delivered.
    let after = Revision(written.0 + 1);
    let mut watch = store
        .watch(&KeyRange::prefix("w/"), after)
        .await
        .expect("watch");
    put(&store, "w/1", "skipped").await;
    let written = put(&store, "w/1", "seen").await;
    assert_eq!(
        take(&mut watch, 1).await,
        [Event::Put(entry("w/1", "seen", written))]
    );
}

pub(crate) async fn a_watch_of_history_no_longer_kept_says_so(fixture: &Fixture) {
    let store = fixture.open_forgetful();
    let start = put(&store, "w/1", "").await;
    fixture.forget_history(&store).await;
    let range = KeyRange::prefix("w/");
    // A store may notice at once or with the first answer.
    let error = match store.watch(&range, start).await {
        Ok(mut watch) => watch.next().await.expect_err("compacted"),
        Err(error) => error,
    };
    assert!(matches!(error, StoreError::Compacted { .. }), "{error:?}");
    let now = store.read(&[Read::Get(b"w/1".into())]).await.expect("read");
    assert_eq!(now.lists, [vec![entry("w/1", "", start)]]);
    let mut watch = store.watch(&range, now.revision).await.expect("watch");
    let written = put(&store, "w/1", "new").await;
    assert_eq!(
        take(&mut watch, 1).await,
        [Event::Put(entry("w/1", "new", written))]
    );
}

async fn revision(store: &AnyStore) -> Revision {
    store.read(&[]).await.expect("read").revision
}

/// At least `count` events.
pub(crate) async fn take(watch: &mut AnyWatch, count: usize) -> Vec<Event> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(watch.next().await.expect("next"));
    }
    found
}

fn revision_of(event: &Event) -> Revision {
    match event {
        Event::Put(entry) => entry.revision,
        Event::Deleted { revision, .. } => *revision,
    }
}
