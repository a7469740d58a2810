//! How the containers of a pod are told apart.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::BadOption;
use crate::args::{Containers, Options};
use crate::containers::Settings;
use crate::containers::cri::Socket;
use crate::containers::decide::{Split, Tcp};

/// Where containerd listens.
const CRI: &str = "unix:///run/containerd/containerd.sock";

pub(super) fn settings(options: &Options, hold: Duration) -> Result<Settings, BadOption> {
    Ok(Settings {
        split: match options.containers.unwrap_or_default() {
            Containers::Auto => Split::Auto,
            Containers::All => Split::All,
            Containers::Off => Split::Off,
        },
        hold,
        tcp: if options.tcp.unwrap_or_default() {
            Tcp::On
        } else {
            Tcp::Off
        },
        cri: match &options.cri {
            None => Some(Socket::Usual(CRI.into())),
            Some(none) if none == "none" => None,
            Some(said) => Some(Socket::Said(said.clone())),
        },
        below: below(options.cgroup.clone())?,
        kernel: release(),
    })
}

/// A path below the root of the hierarchy, whichever way it is written.
fn below(cgroup: Option<PathBuf>) -> Result<PathBuf, BadOption> {
    let said = cgroup.unwrap_or_default();
    let plain = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::RootDir);
    if !said.components().all(|part| plain(&part)) {
        return Err(BadOption {
            option: "--cgroup",
            value: said.display().to_string(),
            problem: "a path below the root of the hierarchy, as /kubepods.slice".into(),
        });
    }
    Ok(said.strip_prefix("/").map(Path::to_owned).unwrap_or(said))
}

/// The running kernel's release.
fn release() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    read.unwrap_or_default().trim().to_owned()
}
