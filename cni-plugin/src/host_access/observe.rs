//! What CHECK finds missing.

use std::net::IpAddr;

use berth_types::{AttachmentId, IfName};
use ipnetwork::IpNetwork;

use super::Ends;
use super::masquerade::serves;
use super::nft::Nft;
use crate::host::{Netlink, NetlinkError, Netns};
use crate::spec::CniError;

/// What is missing of the access of node and container with those `addresses` to each other, and to
/// `services`; `None` when nothing is.
///
/// # Errors
/// When that cannot be told.
pub fn missing(
    netns: &Netns,
    id: &AttachmentId,
    addresses: &[IpAddr],
    services: &[IpNetwork],
) -> Result<Option<String>, CniError> {
    let ends = Ends::of(id)?;
    let Some(led) = netns.within(|| led_by(&ends.inside))?? else {
        return Ok(Some(format!("{} in the container is not up", ends.inside)));
    };
    let served = |cidr: &&IpNetwork| addresses.iter().any(|own| own.is_ipv4() == cidr.is_ipv4());
    let mut lacking = services.iter().filter(served);
    if let Some(cidr) = lacking.find(|cidr| !led.contains(cidr)) {
        return Ok(Some(format!("has no route to {cidr} by {}", ends.inside)));
    }
    if !services.is_empty()
        && !Nft::open()?
            .tables()?
            .iter()
            .any(|name| serves(name, services))
    {
        return Ok(Some("has no nftables table of berth's on the node".into()));
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

/// Where the end's routes lead; `None` when it is not up.
fn led_by(name: &IfName) -> Result<Option<Vec<IpNetwork>>, NetlinkError> {
    let mut inside = Netlink::open()?;
    match inside.link_by_name(name)?.filter(|link| link.up) {
        Some(link) => inside.destinations(link.index).map(Some),
        None => Ok(None),
    }
}
