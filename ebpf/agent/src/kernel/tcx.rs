//! Links of TCX: pinned, so that they count without the agent.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::LazyLock;

use nix::libc;

use super::bpf::{self, Hook, Order};
use super::device::Device;
use super::fault::checkpoint;
use super::hooks::{AttachError, Target};
use super::load::{Programs, Way};
use super::pins;
use crate::ledger::Place;

/// How links are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tcx<'a> {
    /// The pins of this version.
    pub(super) folder: &'a Path,
    /// The number of the map that every program of ours counts into.
    pub(super) slots_map: u32,
    /// Where in the row.
    pub(super) order: Order,
}

impl Tcx<'_> {
    /// Makes sure that each way of `device` has one link, pinned, with its program of `programs`.
    /// Runs in the device's namespace. Answers how many of ours were in the way of each.
    pub(super) fn attach(
        &self,
        target: &Target,
        device: &Device,
        programs: &mut Programs,
    ) -> Result<[u64; 2], AttachError> {
        let mut removed = [0; 2];
        for (removed, way) in removed.iter_mut().zip(Way::BOTH) {
            *removed = self.attach_way(target, device, programs, way)?;
        }
        Ok(removed)
    }

    fn attach_way(
        &self,
        target: &Target,
        device: &Device,
        programs: &mut Programs,
        way: Way,
    ) -> Result<u64, AttachError> {
        let name = target.pin(way);
        let path = name.path(self.folder);
        let hook = hook(&target.place, way);
        let program = programs.descriptor(way)?;
        let found = pins::look(self.folder, name).map_err(failed("look at a pin"))?;
        let alive = found.filter(|pin| pin.ifindex == device.ifindex);
        let removed = self.remove_others(device, hook, alive.map(|pin| pin.link))?;
        if alive.is_some() {
            let link = bpf::open(&path).map_err(failed("open a pin"))?;
            checkpoint("swap");
            bpf::update(link.as_fd(), program).map_err(failed("replace a program"))?;
            return Ok(removed);
        }
        // What it was pinned for is gone.
        pins::remove(self.folder, name).map_err(failed("remove a pin"))?;
        checkpoint("attach");
        let link = bpf::attach(program, device.ifindex, hook, self.order)
            .map_err(failed("attach a program"))?;
        checkpoint("pin");
        bpf::pin(link.as_fd(), &path).map_err(failed("pin a link"))?;
        Ok(removed)
    }

    /// Detaches every program of ours but that of the link `own`: it would count once more. Answers how
    /// many there were.
    fn remove_others(
        &self,
        device: &Device,
        hook: Hook,
        own: Option<u32>,
    ) -> Result<u64, AttachError> {
        let attached = match bpf::attached(device.ifindex, hook) {
            Ok(attached) => attached,
            // A kernel without TCX; attaching says so.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(0),
            Err(error) => return Err(failed("look at a hook")(error)),
        };
        let mut removed = 0;
        for other in attached {
            if is_ours(&other, self.slots_map) && Some(other.link) != own && other.link != 0 {
                bpf::detach(other.link).map_err(failed("detach a duplicate"))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// How many links of ours count what `device` receives and sends, as the container sees it. None
/// where that cannot be seen. Runs in the device's namespace.
pub(super) fn links(device: &Device, place: &Place, slots_map: u32) -> [u64; 2] {
    Way::BOTH.map(|way| {
        let attached = bpf::attached(device.ifindex, hook(place, way)).unwrap_or_default();
        let ours = attached.iter().filter(|found| is_ours(found, slots_map));
        u64::try_from(ours.count()).unwrap_or(u64::MAX)
    })
}

/// Whether a program counts into our map, whoever has attached it.
fn is_ours(found: &bpf::Attached, slots_map: u32) -> bool {
    bpf::maps_of(found.program).is_ok_and(|maps| maps.contains(&slots_map))
}

/// Whether the kernel has TCX, as far as it can be told without attaching anything.
pub(super) fn is_there() -> bool {
    /// `lo`, which every namespace has.
    const LOOPBACK: u32 = 1;
    static THERE: LazyLock<bool> = LazyLock::new(|| {
        let asked = bpf::attached(LOOPBACK, Hook::Ingress).map_err(failed("look at a hook"));
        !asked.is_err_and(|error| is_unknown(&error))
    });
    *THERE
}

/// Whether the kernel does not know TCX: older than 6.6, or without `CONFIG_NET_XGRESS`.
pub(super) fn is_unknown(error: &AttachError) -> bool {
    let AttachError::Io { source, .. } = error else {
        return false;
    };
    matches!(
        source.raw_os_error(),
        Some(libc::EINVAL | libc::EOPNOTSUPP | 524)
    )
}

/// At which hook of a device what the container receives or sends is seen.
pub(super) const fn hook(place: &Place, way: Way) -> Hook {
    match (place, way) {
        (Place::Container { .. }, Way::Receive) | (Place::Node { .. }, Way::Transmit) => {
            Hook::Ingress
        }
        (Place::Container { .. }, Way::Transmit) | (Place::Node { .. }, Way::Receive) => {
            Hook::Egress
        }
    }
}

pub(super) fn failed(what: &'static str) -> impl Fn(io::Error) -> AttachError {
    move |source| AttachError::Io { what, source }
}
