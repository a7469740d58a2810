//! What only the embedded store has: a folder with an owner, a size, and users.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use berth_store::embedded::{EmbeddedStore, Options};
use berth_store::{AnyStore, KeyRange, Outcome, Read, Revision, Store as _, StoreError};
use berth_store::{Txn, Write};
use nix::unistd::Uid;
use tempfile::TempDir;

use crate::fixture::{put, write};
use crate::worker::{Job, Worker};

pub(crate) fn folder() -> (TempDir, PathBuf) {
    let home = TempDir::new().expect("temporary folder");
    let folder = home.path().join("store");
    (home, folder)
}

pub(crate) fn open(folder: &Path) -> AnyStore {
    AnyStore::Embedded(EmbeddedStore::open(folder).expect("open"))
}

pub(crate) fn unusable(folder: &Path) -> String {
    let error = EmbeddedStore::open(folder).expect_err("unusable");
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    assert!(
        error.to_string().contains(folder.to_str().expect("UTF-8")),
        "{error}"
    );
    error.to_string()
}

#[test]
fn a_missing_folder_is_made_for_its_owner_alone() {
    let (_home, folder) = folder();
    let deep = folder.join("a/b");
    open(&deep);
    for path in [&deep, &folder] {
        let mode = fs::metadata(path).expect("folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", path.display());
    }
    let file = fs::metadata(deep.join("data.mdb"))
        .expect("file")
        .permissions()
        .mode();
    assert_eq!(file & 0o777, 0o600);
}

#[test]
fn a_folder_is_opened_twice_in_one_process() {
    let (home, folder) = folder();
    crate::block_on(async {
        let one = open(&folder);
        std::os::unix::fs::symlink(&folder, home.path().join("link")).expect("link");
        let other = Options {
            map_size: 1 << 20,
            kept_revisions: 5,
        };
        let two = EmbeddedStore::open_with(&home.path().join("link"), other).expect("open");
        let written = put(&one, "a", "1").await;
        let answer = two.read(&[Read::Get(b"a".into())]).await.expect("read");
        assert_eq!(answer.lists[0][0].revision, written);
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| drop(open(&folder))));
        }
    });
}

#[test]
fn a_store_keeps_its_identity() {
    let (_home, folder) = folder();
    let id = EmbeddedStore::open(&folder).expect("open").id().to_owned();
    assert_eq!(id.len(), 32);
    assert_eq!(EmbeddedStore::open(&folder).expect("open").id(), id);
    let (_home, other) = self::folder();
    assert_ne!(EmbeddedStore::open(&other).expect("open").id(), id);
}

#[test]
fn a_copy_put_in_the_stores_place_is_another_lineage_once() {
    let (home, folder) = folder();
    let (data, backup) = (folder.join("data.mdb"), home.path().join("backup"));
    let of = |folder: &Path| open(folder).lineage();
    let original = of(&folder);
    fs::copy(&data, &backup).expect("back up");
    assert_eq!(of(&folder), original, "a backup is only read");
    fs::remove_file(&data).expect("remove");
    fs::copy(&backup, &data).expect("restore");
    let restored = of(&folder);
    assert_ne!(restored, original);
    assert_eq!(of(&folder), restored, "it keeps the new one");
    let moved = home.path().join("moved");
    fs::rename(&folder, &moved).expect("move");
    assert_eq!(
        of(&moved),
        restored,
        "a folder that was moved is the same store"
    );
}

#[test]
fn a_full_store_says_so_changes_nothing_and_lets_go_of_keys() {
    let (_home, folder) = folder();
    let options = Options {
        map_size: 1024 * 1024,
        ..Options::default()
    };
    let store = AnyStore::Embedded(EmbeddedStore::open_with(&folder, options).expect("open"));
    crate::block_on(async {
        let pair = |number: u32| Txn {
            writes: ["a", "b"]
                .map(|k| Write::put(format!("{k}/{number}"), vec![7; 300]))
                .into(),
            ..Txn::default()
        };
        let mut made = 0;
        let error = loop {
            match store.commit(&pair(made)).await {
                Ok(outcome) => assert!(matches!(outcome, Outcome::Committed(_))),
                Err(error) => break error,
            }
            made += 1;
        };
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert!(error.to_string().contains("1 MiB"), "{error}");
        assert!(made > 100, "full after {made} transactions");
        for prefix in ["a/", "b/"] {
            let answer = store
                .read(&[Read::List(KeyRange::prefix(prefix))])
                .await
                .expect("read");
            assert_eq!(
                answer.lists[0].len(),
                usize::try_from(made).expect("count"),
                "{prefix}"
            );
            assert_eq!(answer.revision, Revision(made.into()));
        }
        for number in 0..made {
            let gone = ["a", "b"].map(|key| Write::delete(format!("{key}/{number}")));
            write(&store, gone).await;
        }
        put(&store, "room", "again").await;
    });
}

#[test]
fn a_log_of_large_values_does_not_fill_the_store() {
    let (_home, folder) = folder();
    let options = Options {
        map_size: 4 * 1024 * 1024,
        ..Options::default()
    };
    let store = AnyStore::Embedded(EmbeddedStore::open_with(&folder, options).expect("open"));
    crate::block_on(async {
        for number in 0..200_u8 {
            write(&store, [Write::put("same", vec![number; 100_000])]).await;
        }
    });
}

#[test]
fn sixty_four_processes_open_a_new_store_at_once() {
    let (_home, folder) = folder();
    crate::block_on(async {
        let job = || Job::Open {
            folder: folder.clone(),
            user: None,
        };
        let mut workers: Vec<_> = (0..64).map(|_| Worker::prepare(job())).collect();
        workers.iter().for_each(Worker::begin);
        for worker in &mut workers {
            assert_eq!(worker.report().await, "ok");
        }
    });
}

#[test]
fn slots_of_dead_readers_are_cleared() {
    let (_home, folder) = folder();
    crate::block_on(async {
        let store = open(&folder);
        put(&store, "a", "1").await;
        let mut readers = Worker::start(Job::HoldReaders {
            folder: folder.clone(),
        });
        assert_eq!(readers.report().await, "reading");
        let error = store.read(&[]).await.expect_err("every slot is taken");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        readers.kill();
        store.read(&[]).await.expect("their slots are free");
        let mut other = Worker::start(Job::HoldReaders {
            folder: folder.clone(),
        });
        other.report().await;
        other.kill();
        let mut fresh = Worker::start(Job::Open {
            folder: folder.clone(),
            user: None,
        });
        assert_eq!(fresh.report().await, "ok");
    });
}

#[test]
fn a_process_killed_within_a_write_holds_nobody_up() {
    let (_home, folder) = folder();
    crate::block_on(async {
        let store = open(&folder);
        for round in 0..5 {
            let before = put(&store, "a", &round.to_string()).await;
            let mut writer = Worker::start(Job::HoldWrite {
                folder: folder.clone(),
            });
            assert_eq!(writer.report().await, "writing");
            writer.kill();
            assert_eq!(put(&store, "a", "next").await, Revision(before.0 + 1));
            let answer = store
                .read(&[Read::Get(b"half".into())])
                .await
                .expect("read");
            assert!(answer.lists[0].is_empty(), "half a transaction was made");
        }
    });
}

#[test]
fn a_second_pid_namespace_is_refused_while_the_first_is_there() {
    assert!(Uid::effective().is_root(), "needs root, for unshare --pid");
    let (_home, folder) = folder();
    let elsewhere = |job| {
        let worker = Worker::prepare_through(&["unshare", "--pid", "--fork", "--kill-child"], job);
        worker.begin();
        worker
    };
    let look = || Job::Open {
        folder: folder.clone(),
        user: None,
    };
    crate::block_on(async {
        let store = open(&folder);
        let words = elsewhere(look()).report().await;
        assert!(words.contains("another PID namespace"), "{words}");
        drop(store);
        let mut there = elsewhere(Job::Stay {
            folder: folder.clone(),
        });
        assert_eq!(there.report().await, "open", "nobody was using it");
        assert!(unusable(&folder).contains("another PID namespace"));
        there.kill();
        // The process inside dies with `unshare`, a moment later.
        let mut tries = 0;
        while let Err(error) = EmbeddedStore::open(&folder) {
            tries += 1;
            assert!(tries < 20, "{error}");
        }
    });
}
