//! The link to be made, as driver and host allow it.

use berth_types::{AttachmentId, Incarnation, LocalPort, MacAddr};

use super::{NewLink, mac, mtu};
use crate::host::{Link, Macvlan, Veth};
use crate::ovs::port_name;
use crate::spec::{CniError, Code, Driver, LinkConfig, MacvlanConfig, OvsConfig};
use crate::verbs::{first_mac, port_mac};

/// The link to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// What it stands on.
    pub parent: Link,
    /// What is made.
    pub link: NewLink,
    /// The hardware address it is made with.
    pub first_mac: Option<MacAddr>,
    /// The port it is to be connected by.
    pub port: Option<LocalPort>,
    /// The hardware address it is to have, when that is known before its address.
    pub mac: Option<MacAddr>,
}

impl Fresh {
    /// Decides for the link `parent`, which is what the driver stands on.
    ///
    /// # Errors
    /// Code 7 for what cannot be built on it.
    pub fn plan(
        config: &LinkConfig,
        id: &AttachmentId,
        asked: Option<MacAddr>,
        incarnation: &Incarnation,
        parent: Link,
    ) -> Result<Self, CniError> {
        let marked = !config.driver.keeps_parents_mac();
        let first = marked.then(|| first_mac(incarnation));
        match &config.driver {
            Driver::Macvlan(macvlan) => Self::macvlan(config, macvlan, id, (asked, first), parent),
            Driver::Ovs(ovs) => Self::ovs(config, ovs, (id, incarnation), (asked, first), parent),
        }
    }

    fn macvlan(
        config: &LinkConfig,
        MacvlanConfig { master: _, mode }: &MacvlanConfig,
        id: &AttachmentId,
        (asked, first_mac): (Option<MacAddr>, Option<MacAddr>),
        parent: Link,
    ) -> Result<Self, CniError> {
        let mac = mac(&config.driver, asked, &parent)?;
        let link = NewLink::Macvlan(Macvlan {
            name: id.ifname.clone(),
            parent: parent.index,
            mode: *mode,
            mtu: mtu(config.mtu, &parent)?,
            mac: first_mac,
        });
        Ok(Self {
            parent,
            link,
            first_mac,
            port: None,
            mac,
        })
    }

    fn ovs(
        config: &LinkConfig,
        OvsConfig { bridge, socket }: &OvsConfig,
        (id, incarnation): (&AttachmentId, &Incarnation),
        (asked, first_mac): (Option<MacAddr>, Option<MacAddr>),
        parent: Link,
    ) -> Result<Self, CniError> {
        let mac = mac(&config.driver, asked, &parent)?;
        let unnamed = || CniError::new(Code::Internal, "the port has no name");
        let name = port_name(id, incarnation).ok_or_else(unnamed)?;
        let link = NewLink::Veth(Veth {
            host: name.clone(),
            name: id.ifname.clone(),
            mtu: mtu(config.mtu, &parent)?,
            mac: first_mac,
            host_mac: port_mac(incarnation),
        });
        let port = LocalPort {
            name,
            bridge: bridge.clone(),
            socket: socket.clone(),
        };
        Ok(Self {
            parent,
            link,
            first_mac,
            port: Some(port),
            mac,
        })
    }
}
