//! Links: what they are, how a macvlan is made, shaped and removed.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use berth_types::{IfName, MacAddr};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo,
    LinkMessage, MacVlanMode,
};
use nix::errno::Errno;

use super::{Netlink, NetlinkError, VlanTag};
use crate::spec::Mode;

/// A link as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Its hardware address, when it is an Ethernet one that an interface may bear.
    pub mac: Option<MacAddr>,
    /// Whether it is administratively up.
    pub up: bool,
    /// What kind of link it is.
    pub kind: LinkKind,
    /// Its alias, a text that whoever made it may have left.
    pub alias: Option<String>,
}

/// What kind of link it is, as far as that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A macvlan.
    Macvlan,
    /// One end of a pair.
    Veth,
    /// A VLAN sub-interface (802.1Q).
    Vlan(VlanTag),
    /// Anything else.
    Other,
}

/// A macvlan to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Macvlan {
    /// Its name in the container.
    pub name: IfName,
    /// The parent's index on the node.
    pub parent: u32,
    /// How the children of one parent see each other.
    pub mode: Mode,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Its first hardware address; the kernel's choice when absent.
    pub mac: Option<MacAddr>,
}

impl Netlink {
    /// The link of that name, when there is one.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn link_by_name(&mut self, name: &IfName) -> Result<Option<Link>, NetlinkError> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_string()));
        self.link(&format!("look at link {name}"), message)
    }

    /// The link of that index, when there is one.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn link_by_index(&mut self, index: u32) -> Result<Option<Link>, NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.link(&format!("look at link {index}"), message)
    }

    /// All links of the namespace.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn links(&mut self) -> Result<Vec<Link>, NetlinkError> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let answers = self.dump("list links", &RouteNetlinkMessage::GetLink(message))?;
        let links = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(link) => Some(describe(link)),
            _ => None,
        });
        Ok(links.collect())
    }

    /// Whether the link of that index is up and its cable in, as far as the node can tell.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn has_carrier(&mut self, index: u32) -> Result<bool, NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let found = self.find(&format!("look at link {index}"), message)?;
        Ok(found.is_some_and(|link| link.header.flags.contains(LinkFlags::LowerUp)))
    }

    fn link(&mut self, what: &str, message: LinkMessage) -> Result<Option<Link>, NetlinkError> {
        self.find(what, message).map(|found| found.map(describe))
    }

    fn find(
        &mut self,
        what: &str,
        mut message: LinkMessage,
    ) -> Result<Option<LinkMessage>, NetlinkError> {
        // Nobody here reads the counters, which the kernel would sum up over all processors.
        message
            .attributes
            .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        match self.get(what, RouteNetlinkMessage::GetLink(message)) {
            Ok(answers) => Ok(answers.into_iter().find_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Some(link),
                _ => None,
            })),
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a macvlan directly in the namespace `target`, under its final name.
    ///
    /// # Errors
    /// [`NetlinkError`]; `EEXIST` when the name is taken there.
    pub fn create_macvlan(
        &mut self,
        macvlan: &Macvlan,
        target: BorrowedFd<'_>,
    ) -> Result<(), NetlinkError> {
        let Macvlan {
            name,
            parent,
            mode,
            mtu,
            mac,
        } = macvlan;
        let mode = match mode {
            Mode::Bridge => MacVlanMode::Bridge,
            Mode::Private => MacVlanMode::Private,
            Mode::Vepa => MacVlanMode::Vepa,
            Mode::Passthru => MacVlanMode::Passthrough,
        };
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::Link(*parent),
            LinkAttribute::Mtu(*mtu),
            LinkAttribute::NetNsFd(target.as_raw_fd()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)])),
            ]),
        ];
        message
            .attributes
            .extend(mac.map(|mac| LinkAttribute::Address(mac.bytes().to_vec())));
        self.change(
            &format!("make macvlan {name}"),
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Removes a link; one that is gone already counts as removed.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn delete_link(&mut self, index: u32) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        match self.change(
            &format!("remove link {index}"),
            RouteNetlinkMessage::DelLink(message),
            0,
        ) {
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(()),
            other => other,
        }
    }

    /// Gives the link its hardware address and its alias in one step.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn prepare_link(
        &mut self,
        index: u32,
        alias: &str,
        mac: Option<MacAddr>,
    ) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message
            .attributes
            .push(LinkAttribute::IfAlias(alias.to_owned()));
        message
            .attributes
            .extend(mac.map(|mac| LinkAttribute::Address(mac.bytes().to_vec())));
        self.change(
            &format!("prepare link {index}"),
            RouteNetlinkMessage::SetLink(message),
            0,
        )
    }

    /// Brings the link up.
    ///
    /// # Errors
    /// [`NetlinkError`]; `EADDRINUSE` when another link of the parent bears its hardware address.
    pub fn link_up(&mut self, index: u32) -> Result<(), NetlinkError> {
        self.set_up(&format!("bring link {index} up"), index, LinkFlags::Up)
    }

    /// Takes the link down: it neither hears nor answers any more.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn link_down(&mut self, index: u32) -> Result<(), NetlinkError> {
        let none = LinkFlags::empty();
        self.set_up(&format!("take link {index} down"), index, none)
    }

    fn set_up(&mut self, what: &str, index: u32, flags: LinkFlags) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = flags;
        message.header.change_mask = LinkFlags::Up;
        self.change(what, RouteNetlinkMessage::SetLink(message), 0)
    }
}

pub(super) fn describe(message: LinkMessage) -> Link {
    let vlan = VlanTag::of(&message.attributes);
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mtu: 0,
        mac: None,
        up: message.header.flags.contains(LinkFlags::Up),
        kind: LinkKind::Other,
        alias: None,
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
            LinkAttribute::Address(bytes) => {
                let bytes = <[u8; 6]>::try_from(bytes).ok();
                link.mac = bytes.and_then(|bytes| MacAddr::from_bytes(bytes).ok());
            }
            LinkAttribute::LinkInfo(info) => {
                link.kind = kind(&info);
            }
            _ => {}
        }
    }
    if let Some(tag) = vlan {
        link.kind = LinkKind::Vlan(tag);
    }
    link
}

fn kind(info: &[LinkInfo]) -> LinkKind {
    let known = |info: &LinkInfo| match info {
        LinkInfo::Kind(InfoKind::MacVlan) => Some(LinkKind::Macvlan),
        LinkInfo::Kind(InfoKind::Veth) => Some(LinkKind::Veth),
        _ => None,
    };
    info.iter().find_map(known).unwrap_or(LinkKind::Other)
}
