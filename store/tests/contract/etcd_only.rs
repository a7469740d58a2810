//! What only a cluster's store has: endpoints, deadlines, lost answers, a quota.

use std::time::Duration;

use berth_store::{
    AnyStore, Compare, EtcdConfig, KeyRange, LineageSeen, Outcome, Read, Store as _,
};
use berth_store::{StoreConfig, StoreError, Txn, Watch as _, Write};
use etcd_testing::{Etcd, free_port};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::claims::watching::take;
use crate::fixture::put;
use crate::proxy::{Answers, Proxy};

/// Short enough to wait for, long enough for an answer on a busy machine.
const TIMEOUT_MS: u64 = 1000;
const TIMEOUT: Duration = Duration::from_millis(TIMEOUT_MS);

fn open(endpoints: impl IntoIterator<Item = String>) -> AnyStore {
    let config = EtcdConfig {
        timeout_ms: TIMEOUT_MS,
        ..EtcdConfig::plain(endpoints)
    };
    AnyStore::open(&StoreConfig::Etcd(config)).expect("open")
}

fn nobody() -> String {
    format!("http://127.0.0.1:{}", free_port())
}

fn create(key: &str) -> Txn {
    Txn {
        compares: vec![Compare::absent(key)],
        writes: vec![Write::put(key, "made")],
        otherwise: vec![Read::Get(key.into())],
    }
}

#[test]
fn answers_of_two_clusters_are_told_for_good() {
    crate::block_on(async {
        let (one, other) = (Etcd::start(), Etcd::start());
        let lineage_of = async |url: &String| {
            let store = open([url.clone()]);
            assert_eq!(store.lineage(), LineageSeen::Nobody);
            put(&store, "a", "").await;
            store.lineage()
        };
        let first = lineage_of(&one.endpoint()).await;
        assert_ne!(first, lineage_of(&other.endpoint()).await);
        // The endpoint to begin with is drawn at random.
        let store = loop {
            let store = open([one.endpoint(), other.endpoint()]);
            put(&store, "a", "").await;
            if store.lineage() == first {
                break store;
            }
        };
        drop(one);
        let read = store.read(&[Read::Get(b"a".into())]).await;
        read.expect("read from the one that is left");
        assert_eq!(store.lineage(), LineageSeen::Several);
    });
}

#[test]
fn a_dead_endpoint_is_passed_over() {
    crate::block_on(async {
        let server = Etcd::start();
        // The endpoint to begin with is drawn at random.
        for round in 0..12 {
            let store = open([nobody(), server.endpoint(), nobody()]);
            let began = Instant::now();
            put(&store, "a", &round.to_string()).await;
            store.read(&[Read::Get(b"a".into())]).await.expect("read");
            assert!(
                began.elapsed() < TIMEOUT,
                "a refused connection costs no deadline"
            );
        }
    });
}

#[test]
fn without_any_endpoint_the_store_is_unavailable() {
    crate::block_on(async {
        let endpoints = [nobody(), nobody(), nobody()];
        let store = open(endpoints.clone());
        let began = Instant::now();
        let read = store
            .read(&[Read::Get(b"a".into())])
            .await
            .expect_err("read");
        let commit = store.commit(&create("a")).await.expect_err("commit");
        let watch = store
            .watch(&KeyRange::prefix("a"), berth_store::Revision(0))
            .await;
        let watch = watch.expect_err("watch");
        assert!(began.elapsed() < TIMEOUT);
        for error in [read, commit, watch] {
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
            let words = error.to_string();
            assert!(endpoints.iter().any(|e| words.contains(e)), "{words}");
            assert!(words.contains("refused"), "{words}");
        }
    });
}

#[test]
fn an_endpoint_that_never_answers_costs_a_read_one_deadline() {
    crate::block_on(async {
        let server = Etcd::start();
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
        let silent = format!("http://{}", silent.local_addr().expect("address"));
        for _ in 0..6 {
            let store = open([silent.clone(), server.endpoint()]);
            let began = Instant::now();
            store.read(&[Read::Get(b"a".into())]).await.expect("read");
            assert!(began.elapsed() < TIMEOUT * 2, "{:?}", began.elapsed());
            let began = Instant::now();
            store.read(&[Read::Get(b"a".into())]).await.expect("read");
            assert!(
                began.elapsed() < TIMEOUT / 2,
                "the one that answers is remembered"
            );
        }
    });
}

#[test]
fn an_endpoint_that_never_answers_leaves_a_commit_unknown_and_is_avoided_by_the_next() {
    crate::block_on(async {
        let server = Etcd::start();
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
        let silent = format!("http://{}", silent.local_addr().expect("address"));
        let mut unknown = 0;
        for round in 0..12 {
            let store = open([silent.clone(), server.endpoint()]);
            let txn = create(&format!("a/{round}"));
            if let Err(error) = store.commit(&txn).await {
                assert!(
                    matches!(error, StoreError::OutcomeUnknown { .. }),
                    "{error:?}"
                );
                unknown += 1;
                let again = store.commit(&txn).await.expect("another endpoint");
                assert!(matches!(again, Outcome::Committed(_)), "{again:?}");
            }
        }
        assert!(unknown > 0, "the silent endpoint was never drawn first");
    });
}

#[test]
fn after_a_lost_answer_the_same_transaction_finds_itself_made_once() {
    for loss in [Answers::Vanish, Answers::Break] {
        crate::block_on(async {
            let server = Etcd::start();
            let proxy = Proxy::start(&server.address().to_string()).await;
            let store = open([proxy.url()]);
            let before = store.read(&[]).await.expect("read").revision;
            proxy.set(loss);
            let error = store
                .commit(&create("a"))
                .await
                .expect_err("the answer is lost");
            assert!(
                matches!(error, StoreError::OutcomeUnknown { .. }),
                "{loss:?}: {error:?}"
            );
            proxy.set(Answers::Pass);
            let outcome = store.commit(&create("a")).await.expect("commit");
            let Outcome::Refused(answer) = outcome else {
                panic!("{loss:?}: made twice")
            };
            assert_eq!(answer.lists[0][0].value, b"made", "{loss:?}");
            assert_eq!(
                answer.revision.0,
                before.0 + 1,
                "{loss:?}: not made exactly once"
            );
        });
    }
}

#[test]
fn a_lost_answer_to_a_read_is_asked_for_again() {
    crate::block_on(async {
        let server = Etcd::start();
        let proxy = Proxy::start(&server.address().to_string()).await;
        let store = open([proxy.url()]);
        put(&store, "a", "1").await;
        proxy.set(Answers::Break);
        let restore = async {
            tokio::time::sleep(TIMEOUT / 4).await;
            proxy.set(Answers::Pass);
        };
        let read = [Read::Get(b"a".into())];
        let (answer, ()) = tokio::join!(store.read(&read), restore);
        assert_eq!(answer.expect("read").lists[0][0].value, b"1");
    });
}

#[test]
fn a_restarted_connection_is_used_again() {
    crate::block_on(async {
        let server = Etcd::start();
        let proxy = Proxy::start(&server.address().to_string()).await;
        let store = open([proxy.url()]);
        for round in 0..5 {
            put(&store, "a", &round.to_string()).await;
            proxy.set(Answers::Break);
            let error = store
                .commit(&create("b"))
                .await
                .expect_err("the answer is lost");
            assert!(
                matches!(error, StoreError::OutcomeUnknown { .. }),
                "{error:?}"
            );
            proxy.set(Answers::Pass);
        }
    });
}

#[test]
fn a_watch_notices_that_its_peer_is_gone() {
    crate::block_on(async {
        let server = Etcd::start();
        let proxy = Proxy::start(&server.address().to_string()).await;
        let store = open([proxy.url()]);
        let start = put(&store, "w/1", "1").await;
        let range = KeyRange::prefix("w/");
        for (loss, limit) in [(Answers::Break, 8), (Answers::Vanish, 10)] {
            let mut watch = store.watch(&range, start).await.expect("watch");
            proxy.set(loss);
            let next = async {
                // An answer for the proxy to lose.
                put(&open([server.endpoint()]), "w/1", "2").await;
                watch.next().await
            };
            let ended = tokio::time::timeout(Duration::from_secs(limit), next).await;
            let error = ended.expect("noticed in time").expect_err("ended");
            assert!(
                matches!(error, StoreError::Unavailable { .. }),
                "{loss:?}: {error:?}"
            );
            proxy.set(Answers::Pass);
            let mut watch = open([server.endpoint()])
                .watch(&range, start)
                .await
                .expect("watch");
            assert!(!take(&mut watch, 1).await.is_empty());
        }
    });
}

#[test]
fn a_store_over_its_quota_is_full() {
    crate::block_on(async {
        let server = Etcd::start_with(&["--quota-backend-bytes", "4000000"]);
        let store = open([server.endpoint()]);
        let mut full = None;
        for number in 0..100 {
            let writes = vec![Write::put(format!("n/{number}"), vec![0; 200_000])];
            if let Err(error) = store
                .commit(&Txn {
                    writes,
                    ..Txn::default()
                })
                .await
            {
                full = Some(error);
                break;
            }
        }
        let error = full.expect("the quota was never reached");
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        store
            .read(&[Read::Get(b"n/0".into())])
            .await
            .expect("still readable");
    });
}

#[test]
fn what_etcd_itself_refuses_is_rejected() {
    crate::block_on(async {
        let server = Etcd::start_with(&["--max-txn-ops", "2"]);
        let store = open([server.endpoint()]);
        let many = Txn {
            writes: (0..3).map(|n| Write::put(format!("n/{n}"), "")).collect(),
            ..Txn::default()
        };
        let large = Txn {
            writes: (0..2)
                .map(|n| Write::put(format!("n/{n}"), vec![0; 1024 * 1024]))
                .collect(),
            ..Txn::default()
        };
        for txn in [many, large] {
            let error = store.commit(&txn).await.expect_err("refused");
            assert!(matches!(error, StoreError::Rejected { .. }), "{error:?}");
        }
    });
}

#[test]
fn an_endpoint_that_is_not_etcd_is_told() {
    crate::block_on(async {
        let other = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
        let url = format!("http://{}", other.local_addr().expect("address"));
        tokio::spawn(async move {
            while let Ok((stream, _)) = other.accept().await {
                let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
                let mut stream = stream;
                tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
                    .await
                    .expect("answer");
            }
        });
        let error = open([url.clone()])
            .read(&[Read::Get(b"a".into())])
            .await
            .expect_err("read");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains(&url), "{error}");
    });
}
