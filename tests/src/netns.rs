//! Network namespaces that belong to a test.

use std::fs::{self, File};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use etcd_testing::process::{begins_in, dies_with_this_thread, on_fresh_thread};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

use crate::debian;
use crate::process;
use crate::scratch::Scratch;

/// A network namespace with `lo` up and nothing else, kept alive by a bind mount at
/// [`Netns::path`] the way container runtimes keep theirs. Gone on drop.
#[derive(Debug)]
pub struct Netns {
    name: String,
    path: PathBuf,
    /// Unmounts and removes the path; absent when somebody else does.
    _scratch: Option<Scratch>,
}

impl Netns {
    /// Makes an empty namespace. `name` only shows in paths and messages.
    ///
    /// # Panics
    /// Without the privilege to make one (run as root).
    pub fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let path = scratch.join("netns");
        File::create(&path).expect("make the file the namespace is mounted on");
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("make a network namespace (run as root)");
            let here = Path::new("/proc/thread-self/ns/net");
            mount(
                Some(here),
                &path,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )
            .expect("mount the network namespace (run as root)");
        };
        on_fresh_thread(make);
        let made = Self {
            name: name.to_owned(),
            path,
            _scratch: Some(scratch),
        };
        made.ip(&["link", "set", "lo", "up"]);
        made
    }

    /// The one at `path`, which somebody else has made and will remove.
    pub fn at(name: &str, path: &Path) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            _scratch: None,
        }
    }

    /// The name given to [`Netns::new`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that is the namespace: what a runtime passes as `CNI_NETNS`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The inode that identifies the namespace as long as it lives.
    pub fn inode(&self) -> u64 {
        fs::metadata(&self.path)
            .expect("stat the network namespace")
            .ino()
    }

    /// Runs `body` on a fresh thread inside the namespace and returns its answer.
    ///
    /// A process that `body` starts with [`Netns::command`] dies with that thread; start
    /// long-lived ones from the test's own thread.
    ///
    /// # Panics
    /// If `body` panics.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        run_in(&self.path, body)
    }

    /// A command for `program` whose process runs inside the namespace, and is killed when the
    /// thread that started it ends, also if the test process itself is killed.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        command_in(&self.path, program)
    }

    /// Whether `to` answers a ping out of this namespace: three tries, a second each.
    ///
    /// # Panics
    /// When `ping` is not installed.
    pub fn ping(&self, to: IpAddr) -> bool {
        let mut command = self.command(debian::require("ping", "iputils-ping"));
        command.args(["-n", "-q", "-c", "1", "-W", "1", &to.to_string()]);
        (0..3).any(|_| command.output().is_ok_and(|ran| ran.status.success()))
    }

    /// Runs `ip` with `arguments` inside the namespace.
    ///
    /// # Panics
    /// When it fails, with what it said.
    pub fn ip(&self, arguments: &[&str]) {
        let mut command = self.command(debian::require("ip", "iproute2"));
        process::output(command.args(arguments));
    }

    /// What `ip -json` with `arguments` shows inside the namespace.
    ///
    /// # Panics
    /// When it fails, or its output is not JSON.
    pub fn ip_json(&self, arguments: &[&str]) -> Value {
        let mut command = self.command(debian::require("ip", "iproute2"));
        let shown = process::output(command.args(["-json", "-details"]).args(arguments));
        // Some versions print nothing at all for an empty list.
        if shown.trim().is_empty() {
            return Value::Array(Vec::new());
        }
        serde_json::from_str(&shown).expect("`ip -json` prints JSON")
    }

    /// The link called `ifname` as `ip -json address` describes it, if there is one.
    pub fn link(&self, ifname: &str) -> Option<Value> {
        let Value::Array(links) = self.ip_json(&["address"]) else {
            return None;
        };
        links
            .into_iter()
            .find(|link| link.get("ifname").is_some_and(|name| name == ifname))
    }

    /// The names of all links but `lo`, in the kernel's order.
    pub fn links(&self) -> Vec<String> {
        let shown = self.ip_json(&["link"]);
        let links = shown.as_array().into_iter().flatten();
        let names = links.filter_map(|link| link.get("ifname")?.as_str().map(str::to_owned));
        names.filter(|name| name != "lo").collect()
    }

    /// The addresses on `ifname` but link-local IPv6 ones; empty also when there is no such link.
    pub fn addresses(&self, ifname: &str) -> Vec<IpAddr> {
        let Some(link) = self.link(ifname) else {
            return Vec::new();
        };
        let shown = link
            .get("addr_info")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let global = shown.filter(|info| info.get("scope").is_none_or(|scope| scope != "link"));
        global
            .filter_map(|info| info.get("local")?.as_str()?.parse().ok())
            .collect()
    }
}

/// [`Netns::run`] for the namespace at `path`, whoever made it.
pub(crate) fn run_in<T: Send>(path: &Path, body: impl FnOnce() -> T + Send) -> T {
    etcd_testing::process::run_in(path, body)
}

/// [`Netns::command`] for the namespace at `path`, whoever made it.
pub(crate) fn command_in(path: &Path, program: impl AsRef<Path>) -> Command {
    let mut command = mortal(program);
    begins_in(&mut command, path);
    command
}

/// A command whose process is killed when the thread that started it ends.
pub(crate) fn mortal(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env("PATH", debian::PATH);
    dies_with_this_thread(&mut command);
    command
}
