//! The node's kernel: links, addresses and routes by netlink, and network namespaces.

mod link;
mod netlink;
mod netns;
mod route;
mod traffic;

pub use link::{Announce, Link, LinkKind, Macvlan};
pub use netlink::{Netlink, NetlinkError};
pub use netns::{Inside, Netns, NetnsError};
pub use route::NextHop;
pub use traffic::{Bucket, SeenBucket};
