//! The whole plan of an ADD, for whoever wants to see it and not have it done.

use std::net::IpAddr;

use berth_types::{AttachmentId, IfName, Incarnation, VlanId};

use super::{Fresh, Granted, NewLink, Outline, Step, mtu, parent};
use crate::host::{Link, Macvlan};
use crate::spec::{CniError, Code, LinkConfig};
use crate::vlan::{Next, choose, names};
use crate::wanted::Wanted;

/// What was seen of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its links.
    pub links: Vec<Link>,
    /// Those of them that are VLAN sub-interfaces.
    pub vlans: Vec<Link>,
    /// The node's addresses that a container with `hostAccess` reaches past the LAN.
    pub addresses: Vec<IpAddr>,
}

/// One change on the node, before the container's namespace is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeStep {
    /// Stand on a VLAN sub-interface as it is.
    UseVlan(Link),
    /// Mark a VLAN sub-interface of ours, bring it up, and give it that MTU in bytes.
    SettleVlan(Link, u32),
    /// Make a VLAN sub-interface.
    MakeVlan {
        /// The link it is of.
        parent: String,
        /// The VLAN.
        vlan: VlanId,
        /// Its name, unless another link has that.
        name: IfName,
    },
    /// Make the link in the container's namespace.
    MakeLink {
        /// The link it stands on.
        parent: String,
        /// What is made.
        link: NewLink,
    },
}

/// What an ADD does, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// On the node.
    pub node: Vec<NodeStep>,
    /// On the new interface.
    pub inside: Vec<Step>,
}

/// Plans the ADD of `id`, for what it wants, what was seen, and what the store gives: `grant` is
/// told the link to be made.
///
/// # Errors
/// What keeps the ADD from succeeding, as that says it.
pub fn whole(
    (wanted, link): (&Wanted, &LinkConfig),
    (id, incarnation): (&AttachmentId, &Incarnation),
    seen: &Seen,
    grant: impl FnOnce(&Fresh) -> Result<Granted, CniError>,
) -> Result<Whole, CniError> {
    let by_name = |name: &IfName| {
        let mut links = seen.links.iter();
        let found = links.find(|link| link.name == name.as_str());
        Ok::<_, CniError>(found.cloned())
    };
    let fresh = Fresh::plan(
        link,
        id,
        wanted.mac,
        incarnation,
        parent(&link.driver, by_name)?,
    )?;
    let granted = grant(&fresh)?;
    let outline = Outline {
        id,
        node: &seen.addresses,
        link,
        limits: wanted.limits,
        incarnation,
        made: &fresh.link,
        port: fresh.port.as_ref(),
    };
    let inside = outline.shape(&granted)?.steps()?;
    let node = ground(link, &fresh, granted.vlan(link)?, &seen.vlans)?;
    Ok(Whole { node, inside })
}

/// What is changed on the node, by the VLAN sub-interfaces that it has.
///
/// # Errors
/// Code 7 for an MTU that the sub-interface cannot carry, 11 for one that is down.
pub fn ground(
    config: &LinkConfig,
    fresh: &Fresh,
    vlan: Option<VlanId>,
    vlans: &[Link],
) -> Result<Vec<NodeStep>, CniError> {
    let Fresh { parent, link, .. } = fresh;
    let on = |parent: &Link, link: NewLink| NodeStep::MakeLink {
        parent: parent.name.clone(),
        link,
    };
    let (NewLink::Macvlan(macvlan), Some(vlan)) = (link, vlan) else {
        return Ok(vec![on(parent, link.clone())]);
    };
    let (step, sub) = match choose(vlans, parent, vlan, config.mtu)? {
        Next::Use(sub) => (NodeStep::UseVlan(sub.clone()), sub),
        Next::Settle(sub, mtu) => (NodeStep::SettleVlan(sub.clone(), mtu), Link { mtu, ..sub }),
        Next::Make => {
            let unnamed = || CniError::new(Code::Internal, "the sub-interface has no name");
            let name = names(parent, vlan).into_iter().next().ok_or_else(unnamed)?;
            let sub = Link {
                name: name.to_string(),
                ..parent.clone()
            };
            let parent = parent.name.clone();
            (NodeStep::MakeVlan { parent, vlan, name }, sub)
        }
    };
    let macvlan = Macvlan {
        parent: sub.index,
        mtu: mtu(config.mtu, &sub)?,
        ..macvlan.clone()
    };
    Ok(vec![step, on(&sub, NewLink::Macvlan(macvlan))])
}
