//! Building an interface on a VLAN sub-interface, which is made first where there is none.

use std::path::Path;

use berth_ipam::fault::checkpoint;
use berth_types::VlanId;
use nix::errno::Errno;

use super::choose::{Next, choose, names};
use super::lock::NodeLock;
use super::{FRESH, MARK, sounder};
use crate::host::{
    Link, LinkKind, Netlink, NetlinkError, Netns, NewVlan, VlanTag, switch_ipv6_off,
};
use crate::spec::{CniError, Code};

/// Where the kernel lists its VLAN sub-interfaces, once it knows of any.
pub(super) const LISTED: &str = "/proc/net/vlan";
/// How often what was found is looked at again after a change.
const LOOKS: u32 = 5;

/// An interface that could not be made on a VLAN sub-interface.
#[derive(Debug)]
pub(crate) enum Unmade {
    /// The sub-interface cannot be had, or is not fit for it.
    Unfit(CniError),
    /// The kernel refused the interface.
    Refused(NetlinkError),
}

impl From<CniError> for Unmade {
    fn from(error: CniError) -> Self {
        Self::Unfit(error)
    }
}

/// What is wanted of the node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The master.
    pub(crate) parent: &'a Link,
    /// The VLAN.
    pub(crate) vlan: VlanId,
    /// The MTU that was asked for, in bytes.
    pub(crate) mtu: Option<u32>,
}

/// Has `make` make an interface on the sub-interface; answers the latter.
///
/// `make` is called a second time when the first one found that the sub-interface had just gone
/// with its last user.
///
/// # Errors
/// [`Unmade`].
pub(crate) fn build_on(
    host: &mut Netlink,
    wanted: Wanted<'_>,
    mut make: impl FnMut(&mut Netlink, &Link) -> Result<(), Unmade>,
) -> Result<Link, Unmade> {
    if let Some(link) = standing(host, wanted)? {
        match make(host, &link) {
            Err(Unmade::Refused(error)) if may_be_going(&error) => {}
            made => return made.map(|()| link),
        }
    }
    let _alone = NodeLock::take()?;
    let link = find_or_make(host, wanted)?;
    make(host, &link).map(|()| link)
}

/// Whether the link that something was to stand on may be going, or its going was interrupted.
fn may_be_going(error: &NetlinkError) -> bool {
    matches!(error.errno(), Some(Errno::ENODEV | Errno::EINVAL))
}

/// The sub-interface, when nothing has to be done about it. The name it most likely has is tried
/// before the list.
fn standing(host: &mut Netlink, wanted: Wanted<'_>) -> Result<Option<Link>, CniError> {
    let Wanted { parent, vlan, mtu } = wanted;
    let likely = names(parent, vlan).into_iter().next();
    let named = likely.map(|name| host.link_by_name(&name)).transpose()?;
    let named: Vec<_> = named.flatten().into_iter().collect();
    let next = match choose(&named, parent, vlan, mtu)? {
        Next::Make => choose(&host.vlans()?, parent, vlan, mtu)?,
        next => next,
    };
    Ok(match next {
        Next::Use(link) => Some(link),
        Next::Settle(..) | Next::Make => None,
    })
}

/// Does what there is to do. The caller has the lock.
fn find_or_make(host: &mut Netlink, wanted: Wanted<'_>) -> Result<Link, CniError> {
    let Wanted { parent, vlan, mtu } = wanted;
    for _ in 0..LOOKS {
        match choose(&host.vlans()?, parent, vlan, mtu)? {
            Next::Use(link) => {
                remove_sounder(host, link.index)?;
                return Ok(link);
            }
            Next::Settle(link, mtu) => {
                Netns::node()?.within(|| switch_ipv6_off(&link.name))??;
                host.settle_link(link.index, MARK, mtu)?;
                checkpoint("vlan.settled");
            }
            Next::Make => {
                make(host, parent, vlan)?;
                checkpoint("vlan.made");
            }
        }
    }
    let message = format!("VLAN {vlan} of {:?} changes all the time", parent.name);
    Err(CniError::new(Code::TryAgain, message)
        .details("see what else on this node makes and removes links"))
}

fn make(host: &mut Netlink, parent: &Link, vlan: VlanId) -> Result<(), CniError> {
    let tag = VlanTag {
        id: vlan,
        parent: parent.index,
        group: FRESH,
    };
    let mut taken = Vec::new();
    for name in names(parent, vlan) {
        match host.create_vlan(&NewVlan {
            name: name.clone(),
            tag,
        }) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => taken.push(name.to_string()),
            Err(error) => return Err(refused(&error, parent, vlan)),
            Ok(()) => return Ok(()),
        }
    }
    // Somebody else's may have come first: then the next look finds it.
    let seen = host.vlans()?;
    match choose(&seen, parent, vlan, None)? {
        Next::Make => {
            let taken = taken.join(" and ");
            let message = format!("vlan: {vlan} cannot be used: {taken} are other links");
            Err(CniError::new(Code::InvalidConfig, message).details(format!(
                "rename them, or make the sub-interface yourself: \
                 ip link add link {} name NAME type vlan id {vlan}",
                parent.name
            )))
        }
        Next::Use(_) | Next::Settle(..) => Ok(()),
    }
}

/// The kernel's refusal to make a sub-interface.
fn refused(error: &NetlinkError, parent: &Link, vlan: VlanId) -> CniError {
    let unsupported = error.errno() == Some(Errno::EOPNOTSUPP);
    if unsupported && !Path::new(LISTED).exists() {
        let message = format!("vlan: {vlan} cannot be used: this kernel has no 802.1Q: {error}");
        return CniError::new(Code::TryAgain, message).details(
            "load it: modprobe 8021q; to keep it loaded, write 8021q to /etc/modules-load.d/berth.conf",
        );
    }
    if unsupported {
        let message = format!(
            "vlan: {vlan} cannot be used: {:?} carries no VLANs: {error}",
            parent.name
        );
        return CniError::new(Code::InvalidConfig, message)
            .details("name an Ethernet interface as master");
    }
    CniError::new(Code::Internal, error.to_string()).details("see the kernel's reason, and `dmesg`")
}

/// Removes what a call that was killed left on a sub-interface. The caller has the lock, so that
/// nobody is about to remove the sub-interface.
pub(super) fn remove_sounder(host: &mut Netlink, index: u32) -> Result<(), NetlinkError> {
    let Some(name) = sounder(index) else {
        return Ok(());
    };
    let left = host.link_by_name(&name)?;
    match left.filter(|left| left.kind == LinkKind::Macvlan) {
        Some(left) => host.delete_link(left.index),
        None => Ok(()),
    }
}
