//! The verbs.

mod add;
mod allocator;
mod check;
mod del;
mod detach;
mod status;

pub use add::add;
pub use check::check;
pub use del::del;
pub use status::status;

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
        Self::new(Code::Internal, error.to_string())
    }
}
