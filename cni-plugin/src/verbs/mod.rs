//! The verbs of `berth`, and in [`delegated`] those of `berth-ipam`.

mod add;
mod allocator;
mod check;
mod claim;
mod del;
pub mod delegated;
mod detach;
mod gc;
mod given;
mod leavings;
mod recognize;
mod source;
mod status;
mod takeover;

pub use add::add;
pub use check::check;
pub use del::del;
pub(crate) use detach::{first_mac, pair_macs, port_mac};
pub use gc::gc;
pub use status::status;

use nix::errno::Errno;
use serde_json::json;

use crate::host::{NetlinkError, NetnsError};
use crate::spec::{CniError, Code, Version, written_version};

/// VERSION: what is spoken; needs neither container nor configuration.
pub fn version(config: &[u8]) -> String {
    let supported: Vec<_> = Version::ALL
        .iter()
        .map(|version| version.as_str())
        .collect();
    let spoken = written_version(config);
    let answer = json!({"cniVersion": spoken.as_str(), "supportedVersions": supported});
    format!("{answer:#}\n")
}

impl From<NetnsError> for CniError {
    fn from(error: NetnsError) -> Self {
        let (code, remedy) = match &error {
            NetnsError::Absent(_) => (Code::UnknownContainer, "start the container again"),
            NetnsError::NotOne(_) => (
                Code::InvalidNetns,
                "pass a network namespace's path as CNI_NETNS",
            ),
            NetnsError::Host(_) => (
                Code::InvalidNetns,
                "a container in the node's own namespace needs no network; do not call the plugin for it",
            ),
            NetnsError::Io { .. } => (
                Code::Internal,
                "run the plugin as root in the node's namespace",
            ),
        };
        Self::new(code, format!("CNI_NETNS: {error}")).details(remedy)
    }
}

impl From<NetlinkError> for CniError {
    fn from(error: NetlinkError) -> Self {
        let remedy = match error.errno() {
            Some(Errno::EPERM | Errno::EACCES) => "run the plugin as root",
            Some(Errno::ENODEV) => "something else removed the link: the runtime tries again",
            Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => {
                "the gateway is not in the interface's subnet: see `cnictl pool show`"
            }
            Some(_) => "the kernel refused: see its reason, and `dmesg`",
            None => "netlink does not work for this process: see its limits and its seccomp filter",
        };
        Self::new(Code::Internal, error.to_string()).details(remedy)
    }
}
