//! Opening the folder, once per process.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use heed::types::Bytes;
use heed::{CommitOrAbort, Env, EnvOpenOptions, MdbError, RoTxn, WithoutTls};
use nix::fcntl::{FallocateFlags, fallocate};

use super::content::{Table, Tables};
use super::identity::FileMark;
use super::{Options, identity, users};
use crate::StoreError;

/// Layout of the tables. A store with a higher number is left alone.
const SCHEMA: u32 = 1;

/// Processes and threads that may read at once.
const MAX_READERS: u32 = 1024;

/// How long to wait, and how often, for another thread to finish closing the folder.
const CLOSING: Duration = Duration::from_millis(100);
const CLOSING_TRIES: u32 = 50;

/// How much of a healthy file's end may never have been written. LMDB counts pages it took and
/// gave back within one transaction; there are only ever a few.
const UNWRITTEN: u64 = 1024 * 1024;

/// An open folder, shared by every [`super::EmbeddedStore`] of the process.
pub(super) struct Shared {
    pub(super) env: Env<WithoutTls>,
    pub(super) tables: Tables,
    pub(super) id: String,
    pub(super) folder: PathBuf,
    pub(super) options: Options,
    /// Held while `env` is open; fields are dropped in order.
    _user: File,
}

/// LMDB's locks belong to the process, so a folder is opened once however many ask for it.
static OPENED: Mutex<BTreeMap<PathBuf, Weak<Shared>>> = Mutex::new(BTreeMap::new());

/// Opens `folder`, or finds it open.
pub(super) fn open(folder: &Path, options: Options) -> Result<Arc<Shared>, StoreError> {
    let unusable = |reason| StoreError::Unusable {
        path: folder.to_owned(),
        reason,
    };
    let real = create(folder).map_err(|error| unusable(error.to_string()))?;
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.retain(|_, shared| shared.strong_count() > 0);
    if let Some(shared) = opened.get(&real).and_then(Weak::upgrade) {
        return Ok(shared);
    }
    let user = users::register(&real).map_err(unusable)?;
    let env = open_env(&real, options.map_size).map_err(|error| unusable(describe(error)))?;
    check_length(&env, &real).map_err(unusable)?;
    env.clear_stale_readers()
        .map_err(|error| unusable(describe(error)))?;
    let file = identity::of(&real).map_err(|error| unusable(error.to_string()))?;
    let (tables, id) = open_tables(&env, &file).map_err(|error| match error {
        OpenError::Newer(schema) => unusable(format!(
            "its schema is {schema}, this program knows {SCHEMA}; use a newer program"
        )),
        OpenError::Lmdb(error) => failed(folder, options.map_size, error),
    })?;
    let folder = folder.to_owned();
    let shared = Arc::new(Shared {
        env,
        tables,
        id,
        folder,
        options,
        _user: user,
    });
    opened.insert(real, Arc::downgrade(&shared));
    Ok(shared)
}

impl Shared {
    /// The store as the configuration names it.
    pub(super) fn name(&self) -> String {
        name(&self.folder)
    }

    /// Begins a snapshot that shows every commit on disk.
    ///
    /// LMDB writes a commit's page before it tells readers to look there. A process killed between
    /// the two leaves a commit that only the next writer finds, when it takes over the dead one's
    /// lock; so whoever sees such a page takes the lock for a moment.
    pub(super) fn reading(&self) -> heed::Result<RoTxn<'_, WithoutTls>> {
        let reading = self.snapshot()?;
        if self.env.info().last_txn_id <= reading.id() {
            return Ok(reading);
        }
        drop(reading);
        self.env.write_txn()?.abort();
        self.snapshot()
    }

    /// Begins a snapshot. When every slot for readers is taken, those of dead processes are freed.
    fn snapshot(&self) -> heed::Result<RoTxn<'_, WithoutTls>> {
        match self.env.read_txn() {
            Err(heed::Error::Mdb(MdbError::ReadersFull)) => {
                self.env.clear_stale_readers()?;
                self.env.read_txn()
            }
            other => other,
        }
    }

    /// A call failed before anything was committed.
    pub(super) fn failed(&self, error: heed::Error) -> StoreError {
        failed(&self.folder, self.options.map_size, error)
    }

    /// The commit itself failed. LMDB writes the page that makes a transaction valid last, so
    /// want of room leaves none; after any other error of the disk nothing is certain.
    pub(super) fn failed_to_commit(&self, error: heed::Error) -> StoreError {
        match error {
            heed::Error::Io(cause) if cause.kind() != io::ErrorKind::StorageFull => {
                StoreError::OutcomeUnknown {
                    store: self.name(),
                    reason: cause.to_string(),
                }
            }
            other => self.failed(other),
        }
    }
}

fn name(folder: &Path) -> String {
    format!("embedded:{}", folder.display())
}

fn failed(folder: &Path, map_size: usize, error: heed::Error) -> StoreError {
    let store = name(folder);
    match error {
        heed::Error::Mdb(MdbError::MapFull) => StoreError::Full {
            store,
            reason: format!("its {} MiB are used up", map_size / 1024 / 1024),
        },
        heed::Error::Io(cause) if cause.kind() == io::ErrorKind::StorageFull => StoreError::Full {
            store,
            reason: cause.to_string(),
        },
        heed::Error::Mdb(MdbError::TxnFull) => StoreError::Rejected {
            store,
            reason: "one transaction changes too much".to_owned(),
        },
        heed::Error::Mdb(MdbError::ReadersFull) => StoreError::Unavailable {
            store,
            reason: format!("{MAX_READERS} readers are at work already"),
        },
        heed::Error::Mdb(MdbError::MapResized) => StoreError::Unavailable {
            store,
            reason: "another process has made it larger; open it again".to_owned(),
        },
        other => StoreError::Unusable {
            path: folder.to_owned(),
            reason: describe(other),
        },
    }
}

/// LMDB's words, with what they mean for the files where they do not say it.
fn describe(error: heed::Error) -> String {
    match error {
        heed::Error::Mdb(
            cause @ (MdbError::Invalid
            | MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::VersionMismatch
            | MdbError::Incompatible),
        ) => format!("data.mdb is damaged or not ours ({cause}); restore it or move it away"),
        heed::Error::Io(cause) => format!("cannot use data.mdb and lock.mdb: {cause}"),
        other => other.to_string(),
    }
}

fn create(folder: &Path) -> io::Result<PathBuf> {
    match folder.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
            folder.canonicalize()
        }
        other => other,
    }
}

/// Room for content and history of `size` bytes, and for the pages that deletions and rewrites
/// need before they give others back. A multiple of the largest page of any platform we run on.
const fn with_reserve(size: usize) -> usize {
    (size + size / 2 + 1024 * 1024).next_multiple_of(64 * 1024)
}

fn open_env(folder: &Path, size: usize) -> heed::Result<Env<WithoutTls>> {
    let mut env = EnvOpenOptions::new().read_txn_without_tls();
    env.map_size(with_reserve(size))
        .max_readers(MAX_READERS)
        .max_dbs(3);
    for _ in 0..CLOSING_TRIES {
        #[expect(unsafe_code, reason = "a memory map has no safe constructor")]
        // SAFETY: the files are written through LMDB alone, with its locks on (no NO_LOCK), by
        // processes of one PID namespace (`users`), and `check_length` sees to the file's end.
        let opened = unsafe { env.open(folder) };
        if !matches!(opened, Err(heed::Error::EnvAlreadyOpened)) {
            return opened;
        }
        // The last user in this process is closing it on another thread.
        if let Some(closing) = heed::env_closing_event(folder) {
            closing.wait_timeout(CLOSING);
        }
    }
    Err(heed::Error::EnvAlreadyOpened)
}

/// Refuses a file cut short, whose missing pages would kill the process at the first touch.
///
/// A few pages may be missing from a healthy file; those are filled in, which never shortens a
/// file another process is extending.
fn check_length(env: &Env<WithoutTls>, folder: &Path) -> Result<(), String> {
    let io = |error: io::Error| format!("cannot use data.mdb: {error}");
    let page = u64::from(env.unnamed_database_stat().page_size);
    let pages = u64::try_from(env.info().last_page_number).unwrap_or(u64::MAX);
    let needed = pages.saturating_add(1).saturating_mul(page);
    let has = fs::metadata(folder.join("data.mdb")).map_err(io)?.len();
    if has >= needed {
        return Ok(());
    }
    if needed - has > UNWRITTEN {
        return Err(format!(
            "data.mdb is cut short: it has {has} bytes of {needed}; restore it"
        ));
    }
    let (from, missing) = (i64::try_from(has), i64::try_from(needed - has));
    let (Ok(from), Ok(missing)) = (from, missing) else {
        return Err(format!("data.mdb says it needs {needed} bytes"));
    };
    let file = fs::OpenOptions::new()
        .write(true)
        .open(folder.join("data.mdb"))
        .map_err(io)?;
    fallocate(file, FallocateFlags::empty(), from, missing).map_err(|error| io(error.into()))
}

/// Why the tables could not be opened.
enum OpenError {
    Lmdb(heed::Error),
    Newer(u32),
}

impl From<heed::Error> for OpenError {
    fn from(error: heed::Error) -> Self {
        Self::Lmdb(error)
    }
}

/// Opens the tables and reads the store's id; makes both when they are missing, and only then
/// takes the write lock.
fn open_tables(env: &Env<WithoutTls>, file: &FileMark) -> Result<(Tables, String), OpenError> {
    let reading = env.read_txn()?;
    let found = env.open_databases_and_commit(reading, |opener, txn| {
        let tables = (
            opener.open_database::<Bytes, Bytes>(txn, Some("kv"))?,
            opener.open_database::<Bytes, Bytes>(txn, Some("log"))?,
            opener.open_database::<Bytes, Bytes>(txn, Some("meta"))?,
        );
        let (Some(kv), Some(log), Some(meta)) = tables else {
            return Ok(CommitOrAbort::Abort(()));
        };
        Ok::<_, heed::Error>(CommitOrAbort::Commit((kv, log, meta)))
    })?;
    let (kv, log, meta) = match found {
        CommitOrAbort::Commit(tables) => tables,
        CommitOrAbort::Abort(()) => create_tables(env)?,
    };
    let reading = env.read_txn()?;
    let schema = meta
        .get(&reading, b"schema")?
        .and_then(|raw| raw.try_into().ok());
    let schema = u32::from_be_bytes(schema.ok_or(heed::Error::Mdb(MdbError::Corrupted))?);
    if schema > SCHEMA {
        return Err(OpenError::Newer(schema));
    }
    drop(reading);
    Ok((Tables { kv, log }, identity::settle(env, meta, file)?))
}

/// Creates the tables, unless another process did meanwhile.
fn create_tables(env: &Env<WithoutTls>) -> Result<(Table, Table, Table), OpenError> {
    let id = identity::draw()?;
    let created = env.create_databases_and_commit(env.write_txn()?, |opener, txn| {
        let kv = opener.create_database::<Bytes, Bytes>(txn, Some("kv"))?;
        let log = opener.create_database::<Bytes, Bytes>(txn, Some("log"))?;
        let meta = opener.create_database::<Bytes, Bytes>(txn, Some("meta"))?;
        if meta.is_empty(txn)? {
            meta.put(txn, b"schema", &SCHEMA.to_be_bytes())?;
            meta.put(txn, b"id", id.as_bytes())?;
        }
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((kv, log, meta)))
    })?;
    match created {
        CommitOrAbort::Commit(tables) => Ok(tables),
        CommitOrAbort::Abort(()) => Err(OpenError::Lmdb(MdbError::Corrupted.into())),
    }
}
