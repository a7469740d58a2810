//! Other processes: this very test program, started again to do one job.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use berth_store::StoreConfig;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::jobs;
use etcd_testing::process::dies_with_this_thread;

const VARIABLE: &str = "BERTH_STORE_CONTRACT_WORKER";

/// What a worker does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Creates the raced keys and increments the counter; reports which keys it won.
    Race { config: StoreConfig, id: usize },
    /// Writes the same number to two keys, again and again, until it is killed.
    Pairs { config: StoreConfig },
    /// Commits and never says so.
    CommitAndHang {
        config: StoreConfig,
        txn: Vec<(String, String)>,
    },
    /// Opens and reads, as this user if one is given; reports "ok" or the error.
    Open { folder: PathBuf, user: Option<u32> },
    /// Opens, says "open", and stays.
    Stay { folder: PathBuf },
    /// Stops in the middle of a write, with LMDB's lock held; says "writing".
    HoldWrite { folder: PathBuf },
    /// Takes every slot for readers, says "reading", and stays.
    HoldReaders { folder: PathBuf },
}

/// The order to a worker.
#[derive(Serialize, Deserialize)]
struct Order {
    job: Job,
    report: PathBuf,
    /// The worker begins when this file exists.
    begin: PathBuf,
}

/// A running worker; killed when dropped.
pub(crate) struct Worker {
    child: Child,
    files: TempDir,
}

impl Worker {
    /// Starts a worker that does `job` at once.
    pub(crate) fn start(job: Job) -> Self {
        let worker = Self::prepare(job);
        worker.begin();
        worker
    }

    /// Starts a worker that waits for [`Self::begin`].
    pub(crate) fn prepare(job: Job) -> Self {
        Self::prepare_through(&[], job)
    }

    /// [`Self::prepare`], with words in front of the command, as in `unshare --pid --fork`.
    pub(crate) fn prepare_through(words: &[&str], job: Job) -> Self {
        let files = TempDir::new().expect("temporary folder");
        let (report, begin) = (files.path().join("report"), files.path().join("begin"));
        let order = serde_json::to_string(&Order { job, report, begin }).expect("order");
        let program = std::env::current_exe().expect("this program");
        let program = program.to_str().expect("a path in UTF-8");
        let mut words = words.iter().copied().chain([program]);
        let mut command = Command::new(words.next().expect("a program"));
        command
            .args(words)
            .args(["--exact", "worker::work", "--ignored", "--nocapture"])
            .env(VARIABLE, order)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        dies_with_this_thread(&mut command);
        Self {
            child: command.spawn().expect("start a worker"),
            files,
        }
    }

    pub(crate) fn begin(&self) {
        fs::write(self.files.path().join("begin"), "").expect("begin");
    }

    /// Lets a worker that becomes another user see and write its files.
    pub(crate) fn open_to_all(&self) {
        fs::set_permissions(self.files.path(), fs::Permissions::from_mode(0o777)).expect("mode");
    }

    /// Waits for the worker's word.
    pub(crate) async fn report(&mut self) -> String {
        let path = self.files.path().join("report");
        loop {
            if let Ok(report) = fs::read_to_string(&path) {
                return report;
            }
            if let Some(status) = self.child.try_wait().expect("wait") {
                // It may have reported and ended in between.
                return fs::read_to_string(&path).unwrap_or_else(|_| panic!("worker: {status}"));
            }
            pause().await;
        }
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
#[ignore = "the part of other tests that runs in a process of its own; does nothing by itself"]
fn work() {
    let Ok(order) = std::env::var(VARIABLE) else {
        return;
    };
    let Order { job, report, begin } = serde_json::from_str(&order).expect("order");
    crate::block_on(async {
        while !begin.exists() {
            pause().await;
        }
        jobs::perform(job, &report).await;
    });
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
