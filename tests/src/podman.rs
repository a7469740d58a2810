//! podman 4.3 with its CNI backend as Debian ships it, private to one test.

use std::fs;
use std::net::IpAddr;
use std::process::{Command, Output, Stdio};

use crate::debian;
use crate::enclosure::{Enclosure, plain_command};
use crate::images;
use crate::process;
use crate::site::NETWORK;

/// podman with the busybox image, called in an enclosure. Its containers end with the enclosure.
#[derive(Debug)]
pub struct Podman<'e> {
    enclosure: &'e Enclosure,
}

impl<'e> Podman<'e> {
    /// Sets it up in `enclosure`; it finds its CNI plugins in `plugins` and the conflist in
    /// `networks`, both in the enclosure's directory.
    ///
    /// # Panics
    /// When podman, conmon, runc or busybox-static is not installed, or it refuses the image.
    pub fn new(enclosure: &'e Enclosure) -> Self {
        debian::require("runc", "runc");
        debian::require("conmon", "conmon");
        let this = Self { enclosure };
        fs::write(enclosure.file("containers.conf"), this.config()).expect("write the config");
        let image = images::busybox(enclosure.scratch());
        this.output(&["load", "--input", &image.to_string_lossy()]);
        this
    }

    /// Runs a container called `name` in the background on the network [`NETWORK`]. It sleeps.
    ///
    /// # Errors
    /// What podman said, which quotes the plugin.
    pub fn run(&self, name: &str) -> Result<(), String> {
        let cgroup = self.enclosure.cgroup().path();
        let run = [
            "run",
            "--detach",
            "--name",
            name,
            "--network",
            NETWORK,
            "--cgroup-parent",
            &cgroup,
            // Without the privilege to raise hard limits, its defaults would fail.
            "--ulimit",
            "nofile=4096:4096",
            "--ulimit",
            "nproc=4096:4096",
            // busybox's sleep does not answer SIGTERM as the first process of a container.
            "--stop-signal",
            "SIGKILL",
            "--entrypoint",
            "/bin/sleep",
            images::BUSYBOX,
            "3600",
        ];
        self.call(&run).map(drop)
    }

    /// Calls podman with `arguments` and returns what it printed.
    ///
    /// # Errors
    /// What it said on stderr.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn call(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        let ran = self.enclosure.run(|| command.output());
        let Output {
            status,
            stdout,
            stderr,
        } = ran.expect("start podman");
        let [stdout, stderr] = [stdout, stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
        if status.success() {
            Ok(stdout)
        } else {
            Err(stderr)
        }
    }

    /// Like [`Podman::call`] for a call that has to succeed.
    ///
    /// # Panics
    /// When it fails, with what it said.
    pub fn output(&self, arguments: &[&str]) -> String {
        let mut command = self.command();
        self.enclosure
            .run(|| process::output(command.args(arguments)))
    }

    /// The full id of the container called `name`.
    ///
    /// # Panics
    /// When there is none.
    pub fn id(&self, name: &str) -> String {
        self.output(&["inspect", "--format", "{{.Id}}", name])
            .trim()
            .to_owned()
    }

    /// The address that podman says the container called `name` has; `None` when it has none.
    ///
    /// # Panics
    /// When there is no such container.
    pub fn address(&self, name: &str) -> Option<IpAddr> {
        let format = format!("{{{{(index .NetworkSettings.Networks {NETWORK:?}).IPAddress}}}}");
        self.output(&["inspect", "--format", &format, name])
            .trim()
            .parse()
            .ok()
    }

    fn command(&self) -> Command {
        let mut command = plain_command(debian::require("podman", "podman"));
        command.env("CONTAINERS_CONF", self.enclosure.file("containers.conf"));
        command.arg("--root").arg(self.enclosure.file("images"));
        command
            .arg("--network-config-dir")
            .arg(self.enclosure.file("networks"));
        // These may not be long, and /run is the enclosure's own.
        command.args(["--runroot", "/run/storage", "--tmpdir", "/run/libpod"]);
        command.env("HOME", self.enclosure.scratch());
        command
    }

    fn config(&self) -> String {
        format!(
            r#"[engine]
cgroup_manager = "cgroupfs"
# crun refuses a machine with both versions of cgroups.
runtime = "runc"
events_logger = "file"
[network]
network_backend = "cni"
cni_plugin_dirs = ["{plugins}"]
"#,
            plugins = self.enclosure.file("plugins").display(),
        )
    }
}
