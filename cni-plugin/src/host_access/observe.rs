//! What CHECK finds missing.

use std::net::IpAddr;

use berth_types::{AttachmentId, IfName};
use ipnetwork::IpNetwork;

use super::Ends;
use crate::host::{Netlink, NetlinkError, Netns};
use crate::spec::CniError;

/// What is missing of the access of node and container to each other; `None` when nothing is.
///
/// # Errors
/// When that cannot be told.
pub fn missing(
    netns: &Netns,
    id: &AttachmentId,
    addresses: &[IpAddr],
) -> Result<Option<String>, CniError> {
    let ends = Ends::of(id)?;
    let inside = netns.within(|| is_up(&ends.inside))??;
    if !inside {
        return Ok(Some(format!("{} in the container is not up", ends.inside)));
    }
    let mut host = Netlink::open()?;
    let Some(end) = host.link_by_name(&ends.node)?.filter(|end| end.up) else {
        return Ok(Some(format!("{} on the node is not up", ends.node)));
    };
    let routed = host.destinations(end.index)?;
    let lacking = addresses
        .iter()
        .find(|address| !routed.contains(&IpNetwork::from(**address)));
    Ok(lacking.map(|address| format!("has no route of the node to {address} by {}", ends.node)))
}

fn is_up(name: &IfName) -> Result<bool, NetlinkError> {
    let link = Netlink::open()?.link_by_name(name)?;
    Ok(link.is_some_and(|link| link.up))
}
