//! Pairs of interfaces, of which one end is on the node.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use berth_types::{IfName, MacAddr};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

use super::{Netlink, NetlinkError};

/// A pair to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Veth {
    /// The name of the node's end.
    pub host: IfName,
    /// The name of the end in the container.
    pub name: IfName,
    /// The MTU of both, in bytes.
    pub mtu: u32,
    /// The first hardware address of the container's end; the kernel's choice when absent.
    pub mac: Option<MacAddr>,
    /// The hardware address of the node's end. With the kernel's choice `udev` puts one of its own
    /// in its place, a moment later (`MACAddressPolicy=persistent`).
    pub host_mac: MacAddr,
}

impl Netlink {
    /// Makes a pair, the container's end directly in the namespace `target` under its final name.
    /// The node's end is up.
    ///
    /// # Errors
    /// [`NetlinkError`]; `EEXIST` when either name is taken.
    pub fn create_veth(&mut self, veth: &Veth, target: BorrowedFd<'_>) -> Result<(), NetlinkError> {
        let Veth {
            host,
            name,
            mtu,
            mac,
            host_mac,
        } = veth;
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::Mtu(*mtu),
            LinkAttribute::NetNsFd(target.as_raw_fd()),
        ];
        peer.attributes
            .extend(mac.map(|mac| LinkAttribute::Address(mac.bytes().to_vec())));
        let mut message = LinkMessage::default();
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes = vec![
            LinkAttribute::IfName(host.to_string()),
            LinkAttribute::Mtu(*mtu),
            LinkAttribute::Address(host_mac.bytes().to_vec()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.change(
            &format!("make veth {host}"),
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }
}
