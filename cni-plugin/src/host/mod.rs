//! The node's kernel: links, addresses and routes by netlink, and network namespaces.

mod link;
mod near;
mod netlink;
mod netns;
mod route;
mod silent;
mod traffic;
mod veth;
mod vlan;

pub use link::{Link, LinkKind, Macvlan};
pub use near::NearRoute;
pub use netlink::{Netlink, NetlinkError};
pub use netns::{Inside, Netns, NetnsError};
pub use route::NextHop;
pub use silent::switch_ipv6_off;
pub use traffic::{Bucket, SeenBucket};
pub use veth::Veth;
pub use vlan::{NewVlan, VlanTag};
