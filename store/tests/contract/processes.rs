//! Several processes at once, and processes killed.

use std::time::Duration;

use berth_store::{AnyStore, KeyRange, Outcome, Read, Store as _};

use crate::fixture::{Fixture, put};
use crate::jobs::{INCREMENTS, RACED_KEYS, create_all, number_at, number_in, write_pair};
use crate::worker::{Job, Worker};

const RACERS: usize = 8;

#[test]
fn eight_racing_processes_agree_on_the_embedded_store() {
    crate::block_on(race(&Fixture::embedded()));
}

#[test]
fn eight_racing_processes_agree_on_etcd() {
    crate::block_on(race(&Fixture::etcd()));
}

#[test]
fn a_process_killed_while_it_commits_leaves_the_embedded_store_whole() {
    crate::block_on(kill_writers(&Fixture::embedded(), 40));
}

#[test]
fn a_process_killed_while_it_commits_leaves_etcd_whole() {
    crate::block_on(kill_writers(&Fixture::etcd(), 15));
}

#[test]
fn a_commit_whose_process_was_killed_is_found_made_once_in_the_embedded_store() {
    crate::block_on(repeat_after_death(&Fixture::embedded()));
}

#[test]
fn a_commit_whose_process_was_killed_is_found_made_once_in_etcd() {
    crate::block_on(repeat_after_death(&Fixture::etcd()));
}

async fn race(fixture: &Fixture) {
    let store = fixture.open();
    let job = |id| Job::Race {
        config: fixture.config.clone(),
        id,
    };
    let mut workers: Vec<_> = (0..RACERS).map(|id| Worker::prepare(job(id))).collect();
    workers.iter().for_each(Worker::begin);
    let mut winners = vec![None; RACED_KEYS];
    for (id, worker) in workers.iter_mut().enumerate() {
        let won: Vec<usize> = serde_json::from_str(&worker.report().await).expect("report");
        for number in won {
            assert_eq!(winners[number].replace(id), None, "two made raced/{number}");
        }
    }
    let answer = store
        .read(&[Read::List(KeyRange::prefix("raced/"))])
        .await
        .expect("read");
    assert_eq!(answer.lists[0].len(), RACED_KEYS);
    for (number, winner) in winners.iter().enumerate() {
        let winner = u64::try_from(winner.expect("a winner")).expect("number");
        assert_eq!(
            number_at(&store, &format!("raced/{number}")).await.1,
            winner
        );
    }
    let expected = u64::try_from(RACERS * INCREMENTS).expect("number");
    assert_eq!(
        number_at(&store, "counter").await.1,
        expected,
        "an increment was lost"
    );
}

/// Twenty times as many rounds in the long run.
async fn kill_writers(fixture: &Fixture, rounds: u64) {
    let long = std::env::var_os("BERTH_LONG").is_some();
    let rounds = if long { 20 * rounds } else { rounds };
    let store = fixture.open();
    let mut before = 0;
    for round in 0..rounds {
        let mut worker = Worker::start(Job::Pairs {
            config: fixture.config.clone(),
        });
        worker.report().await;
        // Up to about 1 ms, in steps that fall on every part of a commit.
        tokio::time::sleep(Duration::from_micros(500 + round * 137 % 1000)).await;
        worker.kill();
        let value = check_pair(&store).await;
        assert!(value > before, "round {round}: nothing was written");
        // The dead process's last commit may still be on its way; to the embedded store it is not.
        let allowed = if store.outlives_sender() { 2 } else { 1 };
        let mut tries = 1;
        while let Outcome::Refused(answer) = write_pair(&store).await {
            tries += 1;
            assert!(
                tries <= allowed,
                "round {round}: refused again at {}",
                answer.revision
            );
        }
        before = check_pair(&store).await;
    }
}

/// Both in one read: a dead process's commit may arrive between two.
async fn check_pair(store: &AnyStore) -> u64 {
    let pair = [Read::Get("pair/1".into()), Read::Get("pair/2".into())];
    let answer = store.read(&pair).await.expect("read");
    let [one, two] = [0, 1].map(|list| number_in(&answer.lists[list]));
    assert_eq!(one, two, "half of a transaction was made");
    one.1
}

async fn repeat_after_death(fixture: &Fixture) {
    let store = fixture.open();
    let made = [
        ("made/1".to_owned(), "x".to_owned()),
        ("made/2".to_owned(), "y".to_owned()),
    ];
    let job = Job::CommitAndHang {
        config: fixture.config.clone(),
        txn: made.to_vec(),
    };
    let mut worker = Worker::start(job);
    while number_of_keys(&store, "made/").await == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    worker.kill();
    let outcome = fixture
        .open()
        .commit(&create_all(&made))
        .await
        .expect("commit");
    let Outcome::Refused(answer) = outcome else {
        panic!("made twice: {outcome:?}")
    };
    let entries: Vec<_> = answer.lists.concat();
    assert_eq!(entries.len(), 2);
    assert!(
        entries
            .iter()
            .all(|entry| entry.revision == answer.revision)
    );
    put(&store, "others/go on", "").await;
}

async fn number_of_keys(store: &AnyStore, prefix: &str) -> usize {
    store
        .read(&[Read::List(KeyRange::prefix(prefix))])
        .await
        .expect("read")
        .lists[0]
        .len()
}
