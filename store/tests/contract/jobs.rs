//! What workers do.

use std::fs;
use std::path::Path;

use berth_store::embedded::EmbeddedStore;
use berth_store::{AnyStore, Compare, Entry, Outcome, Read, Revision, Store as _, StoreConfig};
use berth_store::{StoreError, Txn, Write};
use heed::types::Bytes;
use heed::{CommitOrAbort, EnvOpenOptions};
use nix::unistd::{Uid, setuid};

use crate::worker::Job;

/// Keys that racing workers try to create.
pub(crate) const RACED_KEYS: usize = 200;
/// Times each racing worker increments the counter.
pub(crate) const INCREMENTS: usize = 25;

/// Does `job` and writes its word to `report`.
pub(crate) async fn perform(job: Job, report: &Path) {
    let say = |words: &str| {
        let draft = report.with_extension("draft");
        fs::write(&draft, words).expect("report");
        fs::rename(draft, report).expect("report");
    };
    match job {
        Job::Race { config, id } => {
            let won = race(&open(&config), id).await;
            say(&serde_json::to_string(&won).expect("report"));
        }
        Job::Pairs { config } => pairs(&open(&config), || say("writing")).await,
        Job::CommitAndHang { config, txn } => {
            crate::fixture::commit(&open(&config), create_all(&txn)).await;
            stay().await;
        }
        Job::Open { folder, user } => {
            if let Some(user) = user {
                setuid(Uid::from_raw(user)).expect("setuid");
            }
            say(&open_and_read(&folder)
                .await
                .map_or_else(|e| e.to_string(), |()| "ok".to_owned()));
        }
        Job::Stay { folder } => {
            let _store = EmbeddedStore::open(&folder).expect("open");
            say("open");
            stay().await;
        }
        Job::HoldWrite { folder } => hold_write(&folder, || say("writing")).await,
        Job::HoldReaders { folder } => hold_readers(&folder, || say("reading")).await,
    }
}

async fn open_and_read(folder: &Path) -> Result<(), StoreError> {
    EmbeddedStore::open(folder)?
        .read(&[Read::Get(b"a".into())])
        .await?;
    Ok(())
}

/// Creates every key of `pairs`, or nothing.
pub(crate) fn create_all(pairs: &[(String, String)]) -> Txn {
    Txn {
        compares: pairs
            .iter()
            .map(|(key, _)| Compare::absent(key.as_str()))
            .collect(),
        writes: pairs
            .iter()
            .map(|(key, v)| Write::put(key.as_str(), v.as_str()))
            .collect(),
        otherwise: pairs
            .iter()
            .map(|(key, _)| Read::Get(key.as_str().into()))
            .collect(),
    }
}

/// The numbers of the keys this worker created. Each worker goes through them in another order.
async fn race(store: &AnyStore, id: usize) -> Vec<usize> {
    let mut won = Vec::new();
    for step in 0..RACED_KEYS {
        let number = (step * 7 + id * 31) % RACED_KEYS;
        let txn = create_all(&[(format!("raced/{number}"), id.to_string())]);
        if let Outcome::Committed(_) = settle(store, &txn).await {
            won.push(number);
        }
        if step % (RACED_KEYS / INCREMENTS) == 0 {
            increment(store).await;
        }
    }
    won
}

async fn increment(store: &AnyStore) {
    loop {
        let (revision, value) = number_at(store, "counter").await;
        let txn = Txn {
            compares: vec![Compare::at("counter", revision)],
            writes: vec![Write::put("counter", (value + 1).to_string())],
            otherwise: vec![],
        };
        if let Outcome::Committed(_) = settle(store, &txn).await {
            return;
        }
    }
}

/// On loopback and with a healthy store every answer arrives.
async fn settle(store: &AnyStore, txn: &Txn) -> Outcome {
    store.commit(txn).await.expect("commit")
}

/// The number a key holds, 0 when it is absent, and its revision.
pub(crate) async fn number_at(store: &AnyStore, key: &str) -> (Revision, u64) {
    let answer = store.read(&[Read::Get(key.into())]).await.expect("read");
    number_in(&answer.lists[0])
}

/// [`number_at`] of what was read of one key.
pub(crate) fn number_in(entries: &[Entry]) -> (Revision, u64) {
    entries.first().map_or((Revision::ABSENT, 0), |entry| {
        let text = std::str::from_utf8(&entry.value).expect("text");
        (entry.revision, text.parse().expect("number"))
    })
}

/// Writes the next number to `pair/1` and `pair/2`, if nobody else does meanwhile.
pub(crate) async fn write_pair(store: &AnyStore) -> Outcome {
    let (revision, value) = number_at(store, "pair/1").await;
    let next = (value + 1).to_string();
    let txn = Txn {
        compares: vec![
            Compare::at("pair/1", revision),
            Compare::at("pair/2", revision),
        ],
        writes: vec![
            Write::put("pair/1", next.clone()),
            Write::put("pair/2", next),
        ],
        otherwise: vec![],
    };
    store.commit(&txn).await.expect("commit")
}

async fn pairs(store: &AnyStore, started: impl FnOnce()) {
    write_pair(store).await;
    started();
    while let Outcome::Committed(_) = write_pair(store).await {}
}

fn open(config: &StoreConfig) -> AnyStore {
    AnyStore::open(config).expect("open")
}

async fn hold_write(folder: &Path, started: impl FnOnce()) {
    let env = open_env(folder);
    let writing = env.write_txn().expect("write");
    env.create_databases_and_commit(writing, |opener, txn| {
        let kv = opener.create_database::<Bytes, Bytes>(txn, Some("kv"))?;
        kv.put(txn, b"half", b"done")?;
        started();
        loop {
            std::thread::park();
            if env.path().as_os_str().is_empty() {
                return Ok::<_, heed::Error>(CommitOrAbort::<(), ()>::Abort(()));
            }
        }
    })
    .expect("hold");
    stay().await;
}

async fn hold_readers(folder: &Path, started: impl FnOnce()) {
    let env = open_env(folder);
    let mut readers = Vec::new();
    while let Ok(reader) = env.read_txn() {
        readers.push(reader);
    }
    started();
    stay().await;
}

fn open_env(folder: &Path) -> heed::Env<heed::WithoutTls> {
    let mut env = EnvOpenOptions::new().read_txn_without_tls();
    env.map_size(1024 * 1024 * 1024)
        .max_readers(1024)
        .max_dbs(3);
    #[expect(unsafe_code, reason = "a memory map has no safe constructor")]
    // SAFETY: the file is written by LMDB alone.
    let env = unsafe { env.open(folder) };
    env.expect("open the environment")
}

async fn stay() {
    std::future::pending::<()>().await;
}
