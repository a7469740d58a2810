//! VLAN sub-interfaces of the node's interfaces.

use berth_types::{IfName, VlanId};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, InfoVlan, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo,
    LinkMessage, MacVlanMode, VlanProtocol,
};

use super::link::describe;
use super::{Link, LinkKind, Netlink, NetlinkError};

/// What a VLAN sub-interface is, beside a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanTag {
    /// The VLAN.
    pub id: VlanId,
    /// The index of the interface whose frames it has.
    pub parent: u32,
    /// Its group, a number that whoever made it may have given it.
    pub group: u32,
}

/// A VLAN sub-interface to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVlan {
    /// Its name.
    pub name: IfName,
    /// What it is.
    pub tag: VlanTag,
}

impl VlanTag {
    /// Reads it from the attributes of a link; `None` unless it is one of 802.1Q whose parent is
    /// in the same namespace.
    pub(super) fn of(attributes: &[LinkAttribute]) -> Option<Self> {
        let (mut id, mut parent, mut group) = (None, None, 0);
        for attribute in attributes {
            match attribute {
                LinkAttribute::Link(index) => parent = Some(*index),
                LinkAttribute::LinkNetNsId(_) => return None,
                LinkAttribute::Group(number) => group = *number,
                LinkAttribute::LinkInfo(info) => id = vlan_id(info),
                _ => {}
            }
        }
        Some(Self {
            id: id?,
            parent: parent?,
            group,
        })
    }
}

fn vlan_id(info: &[LinkInfo]) -> Option<VlanId> {
    let vlan = info.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Vlan(vlan)) => Some(vlan),
        _ => None,
    })?;
    let mut id = None;
    for info in vlan {
        match info {
            InfoVlan::Protocol(VlanProtocol::Ieee8021Q) => {}
            InfoVlan::Protocol(_) => return None,
            InfoVlan::Id(raw) => id = VlanId::try_from(*raw).ok(),
            _ => {}
        }
    }
    id
}

impl Netlink {
    /// Every VLAN sub-interface of the namespace.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn vlans(&mut self) -> Result<Vec<Link>, NetlinkError> {
        let mut vlans = self.links_with_parents(vec![LinkInfo::Kind(InfoKind::Vlan)])?;
        vlans.retain(|(link, _)| matches!(link.kind, LinkKind::Vlan(_)));
        Ok(vlans.into_iter().map(|(link, _)| link).collect())
    }

    /// The links of the namespace that stand on the link `index`.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn links_on(&mut self, index: u32) -> Result<Vec<Link>, NetlinkError> {
        let mut links = self.links_with_parents(Vec::new())?;
        links.retain(|(_, parent)| *parent == Some(index));
        Ok(links.into_iter().map(|(link, _)| link).collect())
    }

    /// Links, each with the index of the one it stands on in the same namespace; of one kind where
    /// the kernel can choose.
    fn links_with_parents(
        &mut self,
        kind: Vec<LinkInfo>,
    ) -> Result<Vec<(Link, Option<u32>)>, NetlinkError> {
        let mut message = LinkMessage::default();
        let sparse = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
        message.attributes.push(sparse);
        if !kind.is_empty() {
            message.attributes.push(LinkAttribute::LinkInfo(kind));
        }
        let answers = self.dump("list links", &RouteNetlinkMessage::GetLink(message))?;
        let links = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(link) => {
                let parent = parent_of(&link.attributes);
                Some((describe(link), parent))
            }
            _ => None,
        });
        Ok(links.collect())
    }

    /// Makes a VLAN sub-interface, down, with the MTU of its parent.
    ///
    /// # Errors
    /// [`NetlinkError`]; `EEXIST` when its name is taken, or the VLAN has one on that parent.
    pub fn create_vlan(&mut self, vlan: &NewVlan) -> Result<(), NetlinkError> {
        let NewVlan {
            name,
            tag: VlanTag { id, parent, group },
        } = vlan;
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::Link(*parent),
            LinkAttribute::Group(*group),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Vlan),
                LinkInfo::Data(InfoData::Vlan(vec![
                    InfoVlan::Id(u16::from(*id)),
                    InfoVlan::Protocol(VlanProtocol::Ieee8021Q),
                ])),
            ]),
        ];
        self.change(
            &format!("make VLAN sub-interface {name}"),
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Gives a link its alias and MTU, puts it into the group of ordinary links and brings it up,
    /// in one step.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn settle_link(&mut self, index: u32, alias: &str, mtu: u32) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes = vec![
            LinkAttribute::IfAlias(alias.to_owned()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::Group(0),
        ];
        self.change(
            &format!("settle link {index}"),
            RouteNetlinkMessage::SetLink(message),
            0,
        )
    }

    /// Puts a macvlan on `parent` that no other can be beside, in whichever namespace.
    ///
    /// # Errors
    /// [`NetlinkError`]; `EINVAL` when there is another macvlan on it, `EBUSY` when it is used
    /// otherwise.
    pub fn create_sole_macvlan(&mut self, name: &IfName, parent: u32) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::Link(parent),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(
                    MacVlanMode::Passthrough,
                )])),
            ]),
        ];
        self.change(
            &format!("make macvlan {name}"),
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }
}

fn parent_of(attributes: &[LinkAttribute]) -> Option<u32> {
    let mut parent = None;
    for attribute in attributes {
        match attribute {
            LinkAttribute::Link(index) => parent = Some(*index),
            LinkAttribute::LinkNetNsId(_) => return None,
            _ => {}
        }
    }
    parent
}
