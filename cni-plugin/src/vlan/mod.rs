//! The VLAN sub-interface of a master, which all interfaces of that VLAN on the node stand on.
//!
//! There is one for each master and VLAN. An operator's is used as it is, under whatever name; one
//! that is missing is made, marked by its alias, and removed with the last interface on it. Nothing
//! counts its users: the kernel lets a macvlan of mode passthru onto a link only while no other is
//! on it, in whichever namespace, and none beside it afterwards. Whoever gets one onto the
//! sub-interface knows that nobody uses it, and that nobody will before it is gone.
//!
//! Whoever makes or removes one has the lock of the node. Whoever uses one that stands does not take
//! it, and takes it only when the kernel says that the sub-interface has just gone.

mod choose;
mod lock;
mod remove;
mod stand;

use berth_types::IfName;

pub use choose::{Next, choose, names};
pub(crate) use lock::NodeLock;
pub(crate) use remove::{Which, remove_unused};
pub(crate) use stand::{Unmade, Wanted, build_on};

use crate::host::{Link, LinkKind};

/// The alias of the sub-interfaces that are ours.
const MARK: &str = "berth-vlan";
/// The group of a sub-interface of ours that has no alias yet.
const FRESH: u32 = 0x0062_7274;

/// Whether a VLAN sub-interface is ours, finished or not.
fn is_ours(link: &Link) -> bool {
    let LinkKind::Vlan(tag) = link.kind else {
        return false;
    };
    match &link.alias {
        Some(alias) => alias == MARK,
        None => tag.group == FRESH,
    }
}

/// The name of the macvlan that finds out whether the link `index` is used.
fn sounder(index: u32) -> Option<IfName> {
    format!("bvlan{index}").parse().ok()
}
