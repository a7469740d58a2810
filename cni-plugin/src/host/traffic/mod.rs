//! Queues, and leading traffic from one link to another.

mod bucket;
mod redirect;

use berth_types::IfName;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoKind, LinkAttribute, LinkInfo, LinkMessage,
};
use netlink_packet_route::tc::{TcHandle, TcMessage};
use nix::errno::Errno;

use super::{Netlink, NetlinkError};
pub use bucket::{Bucket, SeenBucket};

impl Netlink {
    /// Makes an intermediate device.
    ///
    /// # Errors
    /// [`NetlinkError`]; `EOPNOTSUPP` on a kernel without `ifb`.
    pub fn create_ifb(&mut self, name: &IfName, mtu: u32) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Ifb)]),
        ];
        self.change(
            &format!("make intermediate device {name}"),
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Keeps IPv6 from giving the link an address by itself.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn without_own_ipv6(&mut self, link: u32) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = link;
        let none = vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)];
        message.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(none)])];
        let what = format!("keep link {link} without an address");
        match self.change(&what, RouteNetlinkMessage::SetLink(message), 0) {
            // Without IPv6 there is none to be had.
            Err(error) if error.errno() == Some(Errno::EAFNOSUPPORT) => Ok(()),
            other => other,
        }
    }

    /// Removes the link of that name; one that is gone already counts as removed.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn delete_link_called(&mut self, name: &IfName) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_string()));
        let what = format!("remove link {name}");
        match self.change(&what, RouteNetlinkMessage::DelLink(message), 0) {
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(()),
            other => other,
        }
    }
}

fn of_link(link: u32, parent: TcHandle) -> TcMessage {
    // The kernel's indexes are positive and signed.
    let mut message = TcMessage::with_index(i32::try_from(link).unwrap_or(0));
    message.header.parent = parent;
    message
}
