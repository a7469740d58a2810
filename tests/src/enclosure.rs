//! A container runtime's surroundings: the node's network, and mounts and processes of its own.
//!
//! Runtimes write to fixed places (`/run/netns`, `/run/containerd/s`, `/var/lib/cni`, locks in
//! `/dev/shm`) and leave processes behind on purpose, so that containers outlive the daemon. In
//! an enclosure those places are empty file systems in memory, and every process is in one
//! process namespace: when its first process ends, the kernel ends all others, and with the last
//! one the mounts are gone. The first process dies with the test, so nothing has to be found and
//! swept afterwards but empty cgroup folders.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::debian;
use crate::lan::Node;
use crate::process::Daemon;
use crate::scratch::Scratch;

/// The first process of an enclosure, started with the scratch directory as `$0`.
///
/// It tells its process id as the machine sees it, which the machine's `/proc` still shows
/// before the enclosure's own is mounted. bash reaps whatever ends while it waits for `sleep`.
const FIRST_PROCESS: &str = r#"
set -e
read -r pid rest < /proc/self/stat
mount -t proc proc /proc
for place in /run /var/lib /dev/shm; do mount -t tmpfs enclosure "$place"; done
mkdir -p /run/netns /run/lock /var/lib/cni
echo "$pid" > "$0/pid.new"
mv "$0/pid.new" "$0/pid"
while sleep 3600; do :; done
"#;

/// The namespaces of one runtime on one node. Everything in it is killed on drop.
#[derive(Debug)]
pub struct Enclosure {
    /// `unshare`, which waits for the first process and takes it along when killed.
    keeper: Daemon,
    /// The first process, as the machine sees it.
    first: Pid,
    cgroup: Cgroup,
    scratch: Scratch,
}

impl Enclosure {
    /// Makes one in the network namespace of `node`. It lives at most as long as the thread
    /// that calls this.
    ///
    /// # Panics
    /// When the namespaces or mounts cannot be made (needs root).
    pub fn new(node: &Node) -> Self {
        let scratch = Scratch::new("runtime");
        let mut command = node.command(debian::require("unshare", "util-linux"));
        command.args([
            "--mount",
            "--propagation=private",
            "--pid",
            "--fork",
            "--kill-child",
        ]);
        command.arg(debian::require("bash", "bash"));
        command.args(["-c", FIRST_PROCESS]).arg(scratch.path());
        let mut keeper = Daemon::start(&mut command, &scratch.join("enclosure.log"));
        let told = scratch.join("pid");
        keeper.wait_ready(Duration::from_secs(10), || told.exists());
        let pid = fs::read_to_string(told).expect("read the first process's id");
        let first = Pid::from_raw(pid.trim().parse().expect("a process id"));
        Self {
            keeper,
            first,
            cgroup: Cgroup::new(),
            scratch,
        }
    }

    /// The path of `name` in the enclosure's directory, the same inside and outside.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.scratch.join(name)
    }

    /// The enclosure's directory.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The parent of all cgroups that the runtime makes for containers.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Runs `body` on a fresh thread that sees the enclosure's files and network, and whose
    /// child processes are in the enclosure and may stay there when the thread ends.
    ///
    /// `body` must not start threads: the kernel refuses them between two process namespaces.
    ///
    /// # Panics
    /// If `body` panics, or the first process has ended.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            unshare(CloneFlags::CLONE_FS).expect("have a working directory of its own");
            let namespaces = [
                ("net", CloneFlags::CLONE_NEWNET),
                ("pid", CloneFlags::CLONE_NEWPID),
                ("mnt", CloneFlags::CLONE_NEWNS),
            ];
            let namespaces = namespaces.map(|(name, kind)| {
                let path = format!("/proc/{}/ns/{name}", self.first);
                (File::open(path).expect("the enclosure lives"), kind)
            });
            for (namespace, kind) in &namespaces {
                setns(namespace.as_fd(), *kind).expect("enter the enclosure");
            }
            body()
        };
        thread::scope(|scope| scope.spawn(enter).join())
            .unwrap_or_else(|cause| panic::resume_unwind(cause))
    }

    /// The path from outside of what is at `path` in the enclosure.
    ///
    /// # Panics
    /// When there is nothing.
    pub fn outside(&self, path: &Path) -> PathBuf {
        // Absolute links on the way would lead out.
        let inside = self.run(|| fs::canonicalize(path).expect("what is at the path"));
        let root = PathBuf::from(format!("/proc/{}/root", self.first));
        root.join(inside.strip_prefix("/").unwrap_or(&inside))
    }

    /// The names of the network namespaces that the runtime keeps mounted.
    pub fn network_namespaces(&self) -> Vec<String> {
        let list = || {
            let entries = fs::read_dir("/run/netns").expect("list the network namespaces");
            let names = entries.flatten().map(|entry| entry.file_name());
            names.filter_map(|name| name.into_string().ok()).collect()
        };
        self.run(list)
    }
}

impl Drop for Enclosure {
    fn drop(&mut self) {
        // The keeper waits for the first process, whose end the kernel completes only after
        // that of all others; an error means that it has ended already.
        kill(self.first, Signal::SIGKILL).unwrap_or_default();
        crate::wait::becomes_true(Duration::from_secs(10), || !self.keeper.lives());
    }
}

/// A command with Debian's `PATH` and nothing else of the test's own environment.
pub fn plain_command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear().env("PATH", debian::PATH);
    command
}
