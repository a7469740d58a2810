//! Which node this is.

use std::fs;
use std::io;

use berth_ipam::{IpamError, NodeIdentity};
use berth_types::NodeName;

use crate::cli::HereArgs;
use crate::error::Failure;

const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The identity of the node this runs on; made when it has none.
pub(super) fn identity(args: &HereArgs) -> Result<NodeIdentity, Failure> {
    let HereArgs { name, state_dir } = args;
    let name = match name {
        Some(name) => name.clone(),
        None => host_name()?,
    };
    Ok(NodeIdentity::load(name, state_dir, random()?)?)
}

fn host_name() -> Result<NodeName, Failure> {
    let text = fs::read_to_string(HOST_NAME).unwrap_or_default();
    text.trim().parse().map_err(|_invalid| Failure::Usage {
        problem: format!("the host's name {:?} cannot be a node's", text.trim()),
        hint: "give --node, the same as \"node\" in the network configuration".to_owned(),
    })
}

/// 16 random bytes.
pub(crate) fn random() -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| IpamError::Disk {
        path: "/dev/urandom".into(),
        source: io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}
