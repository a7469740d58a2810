//! containerd 1.6 as Debian ships it, private to one test, and driven through its CRI socket.

pub mod cri;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::debian;
use crate::enclosure::{Enclosure, plain_command};
use crate::images;
use crate::process::{self, Daemon};

use self::cri::Cri;

/// A start takes 0.3 s; the rest is for a busy machine.
const START: Duration = Duration::from_secs(30);

/// A running containerd with the pause image. Its pods end with the enclosure.
#[derive(Debug)]
pub struct Containerd<'e> {
    daemon: Daemon,
    cri: Cri,
    enclosure: &'e Enclosure,
}

impl<'e> Containerd<'e> {
    /// Starts it in `enclosure`; it finds its CNI plugins in `plugins` and the conflist in
    /// `networks`, both in the enclosure's directory.
    ///
    /// # Panics
    /// When containerd or runc is not installed, or it does not come up.
    pub fn start(enclosure: &'e Enclosure) -> Self {
        debian::require("runc", "runc");
        fs::write(enclosure.file("containerd.toml"), config(enclosure)).expect("write the config");
        let daemon = run(enclosure);
        let this = Self {
            daemon,
            cri: Cri::connect(&socket(enclosure)),
            enclosure,
        };
        let image = images::pause(enclosure.scratch());
        this.ctr(&["--namespace", "k8s.io", "image", "import"], &image);
        this
    }

    /// Gives it the image with busybox.
    ///
    /// # Panics
    /// When the image cannot be made or imported.
    pub fn import_busybox(&self) {
        let image = images::busybox(self.enclosure.scratch());
        self.ctr(&["--namespace", "k8s.io", "image", "import"], &image);
    }

    /// Where its CRI service listens.
    pub fn socket(&self) -> PathBuf {
        socket(self.enclosure)
    }

    /// Its CRI service.
    pub fn cri(&self) -> &Cri {
        &self.cri
    }

    /// Kills it, leaving its pods running, and starts it again.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&mut self) {
        self.daemon.kill();
        self.daemon = run(self.enclosure);
        self.cri = Cri::connect(&socket(self.enclosure));
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    fn ctr(&self, arguments: &[&str], last: &Path) {
        let mut command = plain_command(debian::require("ctr", "containerd"));
        command
            .arg("--address")
            .arg(socket(self.enclosure))
            .args(arguments)
            .arg(last);
        self.enclosure.run(|| process::output(&mut command));
    }
}

/// Starts the daemon and waits for its CRI service.
fn run(enclosure: &Enclosure) -> Daemon {
    let mut command: Command = plain_command(debian::require("containerd", "containerd"));
    command
        .arg("--config")
        .arg(enclosure.file("containerd.toml"));
    let log = enclosure.file("containerd.log");
    let mut daemon = enclosure.run(|| Daemon::start(&mut command, &log));
    let socket = socket(enclosure);
    daemon.wait_ready(START, || Cri::answers(&socket));
    daemon
}

fn socket(enclosure: &Enclosure) -> PathBuf {
    enclosure.file("containerd.sock")
}

/// What is not set has defaults that stay inside the enclosure or are never used.
fn config(enclosure: &Enclosure) -> String {
    format!(
        r#"version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = [
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
]
[grpc]
address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{image}"
# Without the privilege to lower it, runc would fail.
restrict_oom_score_adj = true
cni = {{ bin_dir = "{folder}/plugins", conf_dir = "{folder}/networks" }}
"#,
        folder = enclosure.scratch().display(),
        socket = socket(enclosure).display(),
        image = images::PAUSE,
    )
}
