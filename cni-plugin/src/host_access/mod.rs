//! Node and container reach each other past the LAN: the kubelet's probes, and services.
//!
//! A macvlan hears nothing of what its own node sends on the master. So the container gets a second
//! pair of interfaces: one end on the node, with a route to each of the container's addresses; the
//! other in the container, with routes to the node's addresses and to `serviceCidrs`. Everything
//! else goes over the LAN as before. No end is given an address, and neighbours are permanent
//! entries: nobody asks, so nobody else answers.
//!
//! What goes to `serviceCidrs` is handed to another container by the node (`kube-proxy`), under the
//! node's address: its answer would else take the LAN, past the node that has to translate it back.
//!
//! - `plan` is pure; `masquerade` says what the nftables table is to be;
//! - `apply` makes it, `remove` takes it away, `observe` tells CHECK what is missing.

mod apply;
mod masquerade;
mod nft;
mod observe;
mod plan;
mod remove;

use berth_types::{AttachmentId, IfName, digits};

pub use apply::{apply, node_addresses};
pub use masquerade::Table;
pub use observe::missing;
pub use plan::{Access, Way, plan};
pub(crate) use remove::{remove, stands};

use crate::spec::{CniError, Code};

/// What the names of all ends on the node begin with; the nftables table goes by it.
const PREFIX: &str = "berth";

/// The two ends of a container's pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The one on the node.
    pub node: IfName,
    /// The one in the container.
    pub inside: IfName,
}

impl Ends {
    /// Of that attachment, in every life of it: both are found without any file.
    ///
    /// # Errors
    /// Code 999: never, for the digits are letters of a name.
    pub fn of(id: &AttachmentId) -> Result<Self, CniError> {
        let AttachmentId {
            node: _,
            network,
            container,
            ifname,
        } = id;
        let hash = digits(&format!("{network}/{container}/{ifname}"), 10);
        let unnamed = |_| CniError::new(Code::Internal, "the pair has no name");
        let readable = format!("bh-{ifname}").parse();
        let inside = readable.or_else(|_| format!("bh-{hash}").parse());
        Ok(Self {
            node: format!("{PREFIX}{hash}").parse().map_err(unnamed)?,
            inside: inside.map_err(unnamed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_two_interfaces_differ_and_fit_a_name() {
        let of = |id: &str| Ends::of(&id.parse().unwrap()).unwrap();
        let (one, other) = (of("n1/pods/c1/eth0"), of("n1/pods/c1/net1"));
        assert_eq!(one.node.as_str().len(), 15);
        assert_eq!(one.inside.as_str(), "bh-eth0");
        assert_ne!(one.node, other.node);
        assert_eq!(one, of("n2/pods/c1/eth0"), "the node may be renamed");
        let long = of("n1/pods/c1/a-long-ifname-1");
        assert_eq!(long.inside.as_str().len(), 13);
    }
}
