//! The node's kernel: links, addresses and routes by netlink, and network namespaces.

mod link;
mod netlink;
mod netns;

pub use link::{Announce, Link, Macvlan, NextHop};
pub use netlink::{Netlink, NetlinkError};
pub use netns::{Inside, Netns, NetnsError};
