//! Calling a CNI plugin the way a container runtime does.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;

use crate::debian;
use crate::lan::Node;
use crate::process::{Finished, Measured};

/// Where the workspace's programs were built: `BERTH_BIN_DIR`, or else the profile's folder that
/// the running test is in (`target/debug`, `target/release`).
///
/// # Panics
/// When the running program's own path cannot be told.
pub fn target_dir() -> PathBuf {
    if let Some(folder) = std::env::var_os("BERTH_BIN_DIR") {
        return PathBuf::from(folder);
    }
    let exe = std::env::current_exe().expect("the path of the running program");
    let folder = exe.parent().expect("a program is in a folder");
    // Test programs are one level below the programs they test.
    if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    }
    .to_owned()
}

/// The path of the workspace's program `name`, which package `package` builds.
///
/// # Panics
/// When it has not been built; the message is the command that builds it.
pub fn program(name: &str, package: &str) -> PathBuf {
    let path = target_dir().join(name);
    let release = if path.parent().is_some_and(|p| p.ends_with("release")) {
        " --release"
    } else {
        ""
    };
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build{release} -p {package}`",
        path.display()
    );
    path
}

/// A command for `cnictl` on `node`, with `store` as `embedded:DIR` or `etcd:URL`.
///
/// # Panics
/// When it has not been built.
pub fn cnictl(node: &Node, store: &str) -> Command {
    let mut command = node.command(program("cnictl", "cnictl"));
    command.args(["--store", store]);
    command
}

/// A CNI plugin's program and how a runtime is set up to call it.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// The program.
    pub bin: PathBuf,
    /// `CNI_PATH`: where delegated plugins are looked for.
    pub path: String,
    /// More of the environment, as a test needs it.
    pub env: Vec<(String, String)>,
}

impl Plugin {
    /// `berth` as the workspace built it.
    ///
    /// # Panics
    /// When it has not been built.
    pub fn berth() -> Self {
        Self::at(program("berth", "berth-cni"))
    }

    /// Debian's plugin called `name`.
    ///
    /// # Panics
    /// When `containernetworking-plugins` is not installed.
    pub fn reference(name: &str) -> Self {
        Self::at(debian::require_cni_plugin(name))
    }

    /// The program `bin`, with its own folder and Debian's plugins in `CNI_PATH`.
    pub fn at(bin: PathBuf) -> Self {
        let own = bin.parent().unwrap_or(Path::new("/")).display().to_string();
        Self {
            bin,
            path: format!("{own}:{}", debian::CNI_PLUGINS),
            env: Vec::new(),
        }
    }

    /// The same plugin with `name` set to `value` in its environment.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes `call` on `node` and waits for the answer.
    ///
    /// # Panics
    /// When the plugin cannot be started.
    pub fn call(&self, node: &Node, call: &Call<'_>) -> Reply {
        self.start(node, call).finish()
    }

    /// Begins `call` on `node`. The plugin is killed when the answer is not waited for.
    ///
    /// # Panics
    /// When the plugin cannot be started.
    pub fn start(&self, node: &Node, call: &Call<'_>) -> Running {
        let mut command = node.command(&self.bin);
        self.set_environment(&mut command, call);
        let measured = Measured::start(&mut command, &call.stdin);
        Running(measured.unwrap_or_else(|e| panic!("start {}: {e}", self.bin.display())))
    }

    /// Gives `command` the environment of `call`, and nothing of the test's own but `PATH`.
    pub fn set_environment(&self, command: &mut Command, call: &Call<'_>) {
        command.env_clear().env("PATH", debian::PATH);
        command
            .env("CNI_COMMAND", call.command)
            .env("CNI_PATH", &self.path);
        // An unset variable and an empty one differ; a runtime leaves out what it has not.
        let known = [
            ("CNI_CONTAINERID", call.container),
            ("CNI_IFNAME", call.ifname),
            ("CNI_ARGS", call.args),
        ];
        command.envs(known.into_iter().filter(|(_, value)| !value.is_empty()));
        command.envs(call.netns.map(|path| ("CNI_NETNS", path)));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
    }
}

/// One call as the runtime makes it. An empty string leaves its variable out of the environment.
#[derive(Clone, Debug, Default)]
pub struct Call<'a> {
    /// `CNI_COMMAND`: ADD, DEL, CHECK, STATUS, GC, VERSION.
    pub command: &'a str,
    /// `CNI_CONTAINERID`.
    pub container: &'a str,
    /// `CNI_NETNS`; `Some("")` is what containerd sends with its second DEL.
    pub netns: Option<&'a Path>,
    /// `CNI_IFNAME`.
    pub ifname: &'a str,
    /// `CNI_ARGS`: `K8S_POD_NAMESPACE=…;K8S_POD_NAME=…`.
    pub args: &'a str,
    /// The whole input; need not be JSON.
    pub stdin: Vec<u8>,
}

impl<'a> Call<'a> {
    /// A call for the interface `eth0` of `container`, without arguments.
    pub fn new(
        command: &'a str,
        container: &'a str,
        netns: Option<&'a Path>,
        config: &Value,
    ) -> Self {
        let stdin = config.to_string().into_bytes();
        Self {
            command,
            container,
            netns,
            ifname: "eth0",
            args: "",
            stdin,
        }
    }
}

/// A call under way.
#[derive(Debug)]
pub struct Running(Measured);

impl Running {
    /// The plugin's process, to signal it or to wait for its answer by hand.
    pub fn process(&self) -> &Measured {
        &self.0
    }

    /// Waits for the answer.
    ///
    /// # Panics
    /// When the process cannot be waited for.
    pub fn finish(self) -> Reply {
        Reply::new(self.0.finish().expect("wait for the plugin"))
    }
}

/// What a plugin answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// How the process ended.
    pub status: ExitStatus,
    /// Its stdout, as it is.
    pub stdout: String,
    /// Its stdout as JSON; null when it is empty or something else.
    pub json: Value,
    /// What it said to people.
    pub stderr: String,
    /// From before it was started until it was reaped.
    pub elapsed: Duration,
    /// User and system time, delegated plugins included.
    pub cpu: Duration,
}

impl Reply {
    /// Reads a finished plugin's output.
    pub fn new(finished: Finished) -> Self {
        let Finished {
            status,
            stdout,
            stderr,
            elapsed,
            cpu,
        } = finished;
        let json = serde_json::from_slice(&stdout).unwrap_or(Value::Null);
        let [stdout, stderr] = [stdout, stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
        Self {
            status,
            stdout,
            json,
            stderr,
            elapsed,
            cpu,
        }
    }

    /// The result of a call that has to succeed.
    ///
    /// # Panics
    /// When it failed, with all that the plugin said.
    #[track_caller]
    pub fn success(&self) -> &Value {
        assert!(self.status.success(), "the plugin failed: {self:#?}");
        &self.json
    }

    /// The error of a call that has to fail: exit code not 0, and an error object on stdout.
    ///
    /// # Panics
    /// When it succeeded, was killed, or printed no error object.
    #[track_caller]
    pub fn failure(&self) -> CniError {
        let code = self.json.get("code").and_then(Value::as_u64);
        let failed = self.status.code().is_some_and(|status| status != 0);
        let text = |field| {
            self.json
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        match code {
            Some(code) if failed => CniError {
                code,
                msg: text("msg"),
                details: text("details"),
            },
            _ => panic!("not a CNI error: {self:#?}"),
        }
    }

    /// The first address of a result, without its prefix length.
    ///
    /// # Panics
    /// When the call failed or its result has no address.
    #[track_caller]
    pub fn address(&self) -> std::net::IpAddr {
        // Result 0.2 is not supported by anyone here: `ips` is a list of `{address: CIDR}`.
        let cidr = self
            .success()
            .pointer("/ips/0/address")
            .and_then(Value::as_str);
        let address = cidr.and_then(|cidr| cidr.split('/').next()?.parse().ok());
        address.unwrap_or_else(|| panic!("no address in {}", self.stdout))
    }
}

/// The error object of the CNI specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CniError {
    /// Below 100 the specification's, from 100 on the plugin's own.
    pub code: u64,
    /// What is wrong.
    pub msg: String,
    /// More about it; empty when absent.
    pub details: String,
}
