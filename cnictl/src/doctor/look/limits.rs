//! Whether the kernel can limit traffic: tried, for no list of modules tells what is built in.

use berth_cni::bandwidth::{self, Limit, Limits, Rate, Shaping};
use berth_cni::host::Netlink;
use berth_cni::spec::CniError;
use berth_types::Incarnation;

use super::{failed, leave};
use crate::doctor::seen::Seen;

/// The index of `lo`, in every namespace.
const LO: u32 = 1;
/// The MTU in bytes that the limits are for.
const MTU: u32 = 1500;

/// Limits both directions of an interface as ADD does, in a namespace that goes with the calling
/// thread; what ADD would say, where the kernel refuses.
pub(super) fn refused() -> Seen<Option<CniError>> {
    leave()?;
    let mut inside = Netlink::open().map_err(failed)?;
    let limit = Some(Limit {
        rate: Rate::MAX,
        burst: None,
    });
    let limits = Limits {
        ingress: limit,
        egress: limit,
    };
    let shaping = Shaping::of(limits, &Incarnation::from_random([0; 16]), MTU);
    Ok(shaping.and_then(|shaping| bandwidth::apply(&mut inside, LO, &shaping).err()))
}
