//! Setting limits, and taking away what they left in the container's namespace.

use berth_ipam::fault::checkpoint;
use berth_types::Incarnation;
use nix::errno::Errno;

use super::{Shaping, device};
use crate::host::{Netlink, NetlinkError};
use crate::spec::{CniError, Code};

/// Limits the interface `link` of the namespace that `netlink` is in.
///
/// The interface must be new: nothing else shapes it yet. Killed anywhere in between, what is left
/// is the interface itself and the device that [`remove`] finds by its name.
///
/// # Errors
/// Code 999: the kernel's refusal, with what it lacks where that is the reason.
pub fn apply(netlink: &mut Netlink, link: u32, shaping: &Shaping) -> Result<(), CniError> {
    set(netlink, link, shaping).map_err(|error| explain(&error))
}

fn set(netlink: &mut Netlink, link: u32, shaping: &Shaping) -> Result<(), NetlinkError> {
    let Shaping {
        ingress,
        egress,
        mtu,
    } = shaping;
    if let Some(bucket) = egress {
        netlink.set_bucket(link, *bucket)?;
        checkpoint("add.limited.egress");
    }
    let Some((name, bucket)) = ingress else {
        return Ok(());
    };
    netlink.create_ifb(name, *mtu)?;
    checkpoint("add.limited.device");
    let Some(device) = netlink.link_by_name(name)? else {
        return Err(NetlinkError::Refused {
            what: format!("look at link {name}"),
            errno: Errno::ENODEV,
            words: String::new(),
        });
    };
    netlink.without_own_ipv6(device.index)?;
    netlink.set_bucket(device.index, *bucket)?;
    netlink.link_up(device.index)?;
    netlink.hook_arriving(link)?;
    checkpoint("add.limited.led");
    // Last, so that nothing is led to where it cannot pass.
    netlink.lead_arriving(link, device.index)
}

/// Removes the device that arriving traffic of that life waits at, in the namespace that `netlink`
/// is in. None there is as good; what is on the interface goes with it.
///
/// # Errors
/// [`NetlinkError`].
pub fn remove(netlink: &mut Netlink, incarnation: &Incarnation) -> Result<(), NetlinkError> {
    netlink.delete_link_called(&device(incarnation))
}

fn explain(error: &NetlinkError) -> CniError {
    let lacking = matches!(error.errno(), Some(Errno::ENOENT | Errno::EOPNOTSUPP));
    let message = format!("bandwidth: {error}");
    CniError::new(Code::Internal, message).details(if lacking {
        "limits need sch_tbf, sch_ingress, cls_u32, act_mirred and ifb: load these kernel modules, or remove the pod's limits"
    } else {
        "the kernel refused: see its reason, and `dmesg`"
    })
}
