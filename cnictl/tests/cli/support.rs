//! A store in a folder of the test's own, and the program to run on it.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use berth_store::embedded::EmbeddedStore;
use berth_store::{KeyRange, Outcome, Read, Revision, Store as _, Txn, Write};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, Holder, Incarnation, MacAddr, NetnsRef, Phase,
    PodRef, Record as _, SchemaVersion, keys,
};
use jiff::Timestamp;
use tempfile::TempDir;

/// A store of the test's own.
pub(crate) struct Site {
    folder: TempDir,
}

/// A command that ran to its end.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Site {
    /// An empty store.
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().expect("make a folder"),
        }
    }

    /// A store with the pool `prod` of 10.20.1.0/24 behind 10.20.1.1.
    pub(crate) fn with_pool() -> Self {
        let site = Self::new();
        site.done("pool create prod --subnet 10.20.1.0/24 --gateway 10.20.1.1");
        site
    }

    /// A path in the test's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store as `--store` takes it.
    pub(crate) fn argument(&self) -> String {
        format!("embedded:{}", self.file("store").display())
    }

    /// The program on the site's store.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = program();
        command.args(["--store", &self.argument()]).args(arguments);
        command
    }

    /// Runs the program with the words of `line`.
    pub(crate) fn run(&self, line: &str) -> Ran {
        finish(&mut self.command(line.split_whitespace()))
    }

    /// Runs the program with words of which some may be empty.
    pub(crate) fn run_words(&self, words: &[&str]) -> Ran {
        finish(&mut self.command(words))
    }

    /// Runs the program, which must succeed, and returns what it printed.
    pub(crate) fn done(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran.out
    }

    /// Runs the program with `-o json`, and returns exit code and document.
    pub(crate) fn json(&self, line: &str) -> (i32, serde_json::Value) {
        let ran = self.run(&format!("{line} -o json"));
        (
            ran.code,
            serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{line}: {e}: {ran:?}")),
        )
    }

    /// The store itself.
    pub(crate) fn store(&self) -> EmbeddedStore {
        EmbeddedStore::open(&self.file("store")).expect("open the store")
    }

    /// Everything in it, with revisions.
    pub(crate) fn content(&self) -> Vec<(String, Vec<u8>, u64)> {
        let all = [Read::List(KeyRange::prefix("/"))];
        let answer = block_on(self.store().read(&all)).expect("read the store");
        let entries = answer.lists.into_iter().flatten();
        let text = |key: Vec<u8>| String::from_utf8(key).expect("keys are text");
        entries
            .map(|entry| (text(entry.key), entry.value, entry.revision.0))
            .collect()
    }

    /// Writes one key.
    pub(crate) fn put(&self, key: String, value: impl Into<Vec<u8>>) -> Revision {
        self.commit(vec![Write::put(key, value)])
    }

    /// Writes several keys at once.
    pub(crate) fn commit(&self, writes: Vec<Write>) -> Revision {
        let txn = Txn {
            writes,
            ..Txn::default()
        };
        match block_on(self.store().commit(&txn)).expect("write to the store") {
            Outcome::Committed(revision) => revision,
            Outcome::Refused(_) => panic!("nothing was compared"),
        }
    }

    /// Gives `address` to a container, the way the allocator does.
    pub(crate) fn hold(&self, address: &str, node: &str, container: &str) -> Revision {
        let address: IpAddr = address.parse().unwrap();
        let id = attachment(node, container);
        let record = AddressRecord::unused("prod".parse().unwrap()).held_by(holder(&id, address));
        self.commit(vec![
            Write::put(keys::address(address), record.encode()),
            Write::put(keys::attachment(&id), attached(&[address]).encode()),
        ])
    }
}

/// The program, told nothing by the environment.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cnictl"));
    command.env_remove("BERTH_STORE").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ran {
    ran(command.output().expect("run cnictl"))
}

/// What came of a process.
pub(crate) fn ran(output: Output) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    Ran {
        code: status.code().unwrap_or_else(|| panic!("killed: {status}")),
        out,
        err,
    }
}

/// An interface on the network `pods`.
pub(crate) fn attachment(node: &str, container: &str) -> AttachmentId {
    format!("{node}/pods/{container}/eth0").parse().unwrap()
}

/// That interface as a holder, of a pod named after its container.
pub(crate) fn holder(id: &AttachmentId, address: IpAddr) -> Holder {
    Holder {
        attachment: id.clone(),
        incarnation: Incarnation::from_random([7; 16]),
        pod: Some(PodRef {
            namespace: "shop".into(),
            name: id.container.to_string(),
            uid: format!("uid-{}", id.container),
        }),
        mac: MacAddr::of_address(address),
        since: noon(),
    }
}

/// The record of an attachment that holds `addresses`.
pub(crate) fn attached(addresses: &[IpAddr]) -> AttachmentRecord {
    AttachmentRecord {
        v: SchemaVersion,
        addresses: addresses.to_vec(),
        pod: None,
        netns: Some(NetnsRef {
            path: "/run/netns/x".into(),
            inode: 1,
        }),
        node_id: "0".repeat(32).parse().unwrap(),
        incarnation: Incarnation::from_random([7; 16]),
        phase: Phase::Live,
    }
}

/// A moment that never changes.
pub(crate) fn noon() -> Timestamp {
    "2026-03-01T12:00:00.25Z".parse().unwrap()
}

/// Runs a future of the store's.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("start a runtime").block_on(future)
}
