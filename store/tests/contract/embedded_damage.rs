//! An embedded store's files when something is wrong with them.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, chown};
use std::path::Path;

use berth_store::Write;
use nix::unistd::Uid;
use tempfile::TempDir;

use crate::embedded_only::{folder, open, unusable};
use crate::fixture::write;
use crate::worker::{Job, Worker};

/// A user other than the one who runs the tests.
const NOBODY: u32 = 65534;

#[test]
fn a_damaged_file_is_told_and_never_fatal() {
    type Damage = fn(&Path);
    let damage: [(&str, Damage); 4] = [
        ("garbage at the beginning", |data| {
            overwrite(data, 0, &[0xa5; 8192]);
        }),
        ("another kind of file", |data| {
            fs::write(data, "hello\n".repeat(5000)).expect("write");
        }),
        ("cut in the middle", |data| cut(data, 2)),
        ("cut within the first pages", |data| cut(data, u64::MAX)),
    ];
    for (case, damage) in damage {
        let (_home, folder) = folder();
        crate::block_on(async {
            let store = open(&folder);
            for number in 0..40 {
                write(
                    &store,
                    [Write::put(format!("n/{number}"), vec![7; 100_000])],
                )
                .await;
            }
        });
        damage(&folder.join("data.mdb"));
        let words = unusable(&folder);
        assert!(words.contains("data.mdb"), "case: {case}: {words}");
    }
}

fn overwrite(data: &Path, offset: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(data).expect("open");
    file.write_all_at(bytes, offset).expect("write");
}

/// Leaves one part of `parts`, but at least 5,000 bytes.
fn cut(data: &Path, parts: u64) {
    let file = OpenOptions::new().write(true).open(data).expect("open");
    let size = file.metadata().expect("size").len();
    file.set_len((size / parts).max(5000)).expect("cut");
}

#[test]
fn pages_missing_at_the_end_of_a_file_do_not_kill() {
    let (_home, folder) = folder();
    crate::block_on(async {
        let store = open(&folder);
        for number in 0..40 {
            write(&store, [Write::put(format!("n/{number}"), vec![7; 10_000])]).await;
        }
        drop(store);
        let data = folder.join("data.mdb");
        let size = fs::metadata(&data).expect("size").len();
        OpenOptions::new()
            .write(true)
            .open(&data)
            .expect("open")
            .set_len(size - 4 * 4096)
            .expect("cut");
        let mut worker = Worker::start(Job::Open {
            folder: folder.clone(),
            user: None,
        });
        let words = worker.report().await;
        assert!(words == "ok" || words.contains("damaged"), "{words}");
    });
}

#[test]
fn a_store_of_a_newer_program_is_left_alone() {
    let (_home, folder) = folder();
    drop(open(&folder));
    let mut env = heed::EnvOpenOptions::new();
    env.max_dbs(3);
    #[expect(unsafe_code, reason = "a memory map has no safe constructor")]
    // SAFETY: the file is written by LMDB alone.
    let env = unsafe { env.open(&folder) }.expect("open");
    env.create_databases_and_commit(env.write_txn().expect("write"), |opener, txn| {
        let meta =
            opener.create_database::<heed::types::Bytes, heed::types::Bytes>(txn, Some("meta"))?;
        meta.put(txn, b"schema", &9_u32.to_be_bytes())?;
        Ok::<_, heed::Error>(heed::CommitOrAbort::<_, ()>::Commit(()))
    })
    .expect("commit");
    env.prepare_for_closing().wait();
    assert!(unusable(&folder).contains("schema is 9"));
}

#[test]
fn a_folder_that_may_not_be_used_is_told() {
    assert!(
        Uid::effective().is_root(),
        "needs root, to become another user"
    );
    let home = TempDir::new().expect("temporary folder");
    let open_to_all = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
    };
    open_to_all(home.path(), 0o755);
    let [others, read_only, absent] =
        ["others", "read-only", "absent"].map(|n| home.path().join(n));
    for path in [&others, &read_only] {
        drop(open(path));
    }
    chown(&read_only, Some(NOBODY), None).expect("chown");
    for file in ["data.mdb", "lock.mdb", "users.lock"] {
        chown(read_only.join(file), Some(NOBODY), None).expect("chown");
        open_to_all(&read_only.join(file), 0o400);
    }
    open_to_all(&read_only, 0o500);
    crate::block_on(async {
        for path in [others, read_only, absent.join("deeper")] {
            let mut worker = Worker::prepare(Job::Open {
                folder: path.clone(),
                user: Some(NOBODY),
            });
            worker.open_to_all();
            worker.begin();
            let words = worker.report().await;
            assert!(
                words.contains("Permission denied"),
                "{}: {words}",
                path.display()
            );
            assert!(words.contains(path.to_str().expect("UTF-8")), "{words}");
        }
    });
    let file = home.path().join("file");
    fs::write(&file, "").expect("write");
    unusable(&file);
    unusable(&file.join("below"));
}
