//! The link to be made, as driver and host allow it.

use berth_types::{AttachmentId, Incarnation, LocalPort, MacAddr};

use crate::host::{Link, Macvlan, Netlink, Veth};
use crate::ovs::port_name;
use crate::plan::{self, NewLink};
use crate::spec::{CniError, Code, Driver, LinkConfig, MacvlanConfig, OvsConfig};
use crate::verbs::detach;
use crate::verbs::status::{find_bridge, find_master};

/// The link to be made.
pub(super) struct Fresh {
    /// What it stands on.
    pub(super) parent: Link,
    pub(super) link: NewLink,
    /// The hardware address it is made with.
    pub(super) first_mac: Option<MacAddr>,
    /// The port it is to be connected by.
    pub(super) port: Option<LocalPort>,
    /// The hardware address it is to have, when that is known before its address.
    pub(super) mac: Option<MacAddr>,
}

impl Fresh {
    /// Looks at the host and decides.
    ///
    /// # Errors
    /// Code 7 for what cannot be built on this host, 11 for a master that is down.
    pub(super) fn plan(
        config: &LinkConfig,
        id: &AttachmentId,
        asked: Option<MacAddr>,
        incarnation: &Incarnation,
        host: &mut Netlink,
    ) -> Result<Self, CniError> {
        let marked = !config.driver.keeps_parents_mac();
        let first_mac = marked.then(|| detach::first_mac(incarnation));
        match &config.driver {
            Driver::Macvlan(macvlan) => {
                Self::macvlan(config, macvlan, id, (asked, first_mac), host)
            }
            Driver::Ovs(ovs) => Self::ovs(config, ovs, (id, incarnation), (asked, first_mac), host),
        }
    }

    fn macvlan(
        config: &LinkConfig,
        MacvlanConfig { master, mode }: &MacvlanConfig,
        id: &AttachmentId,
        (asked, first_mac): (Option<MacAddr>, Option<MacAddr>),
        host: &mut Netlink,
    ) -> Result<Self, CniError> {
        let parent = find_master(host, master)?;
        let mac = plan::mac(&config.driver, asked, &parent)?;
        let link = NewLink::Macvlan(Macvlan {
            name: id.ifname.clone(),
            parent: parent.index,
            mode: *mode,
            mtu: plan::mtu(config.mtu, &parent)?,
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
        host: &mut Netlink,
    ) -> Result<Self, CniError> {
        let parent = find_bridge(host, bridge)?;
        let mac = plan::mac(&config.driver, asked, &parent)?;
        let unnamed = || CniError::new(Code::Internal, "the port has no name");
        let name = port_name(id, incarnation).ok_or_else(unnamed)?;
        let link = NewLink::Veth(Veth {
            host: name.clone(),
            name: id.ifname.clone(),
            mtu: plan::mtu(config.mtu, &parent)?,
            mac: first_mac,
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
