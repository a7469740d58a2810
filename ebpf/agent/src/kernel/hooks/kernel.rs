//! The kernel's own hooks.

use std::io;
use std::path::PathBuf;

use super::{AttachError, Attached, Choice, Hooks, Look, Manner, Target};
use crate::kernel::device::{self, Device, Which};
use crate::kernel::load::{Constants, Maps, Programs, Way};
use crate::kernel::pins::{self, Pin, PinName};
use crate::kernel::{backlog, clsact, netns, tcx};
use crate::ledger::Place;
use crate::model::Mode;
use crate::scope::{ScopeMaps, Scopes};

/// The kernel itself.
#[derive(Debug)]
pub struct Kernel {
    /// The pins of this version.
    pub folder: PathBuf,
    /// How it attaches.
    pub manner: Manner,
    /// The number of the map that every program of ours counts into.
    pub slots_map: u32,
    /// What tells the programs of addresses; none where everything counts as one scope.
    pub scopes: Option<ScopeMaps>,
}

impl Kernel {
    /// With the pins in `folder`, whose map of slots has the number `slots_map`. The programs are told
    /// nothing of addresses.
    pub const fn new(folder: PathBuf, manner: Manner, slots_map: u32) -> Self {
        Self {
            folder,
            manner,
            slots_map,
            scopes: None,
        }
    }

    fn constants(&self, target: &Target) -> Constants {
        Constants {
            slot: target.slot,
            level: self.manner.level,
            node_end: match target.place {
                Place::Container { .. } => 0,
                Place::Node { .. } => 1,
            },
            tcp: self.manner.tcp,
            depth: 0,
        }
    }

    /// Tries the hooks one after the other. Runs where the device is.
    fn attach_here(
        &self,
        target: &Target,
        device: &Device,
        programs: &mut Programs,
    ) -> Result<Attached, AttachError> {
        let Manner { choice, order, .. } = self.manner;
        if matches!(choice, Choice::Auto | Choice::Tcx) {
            let tcx = tcx::Tcx {
                folder: &self.folder,
                slots_map: self.slots_map,
                order,
            };
            match tcx.attach(target, device, programs) {
                Ok(duplicates) => {
                    clsact::detach(device, target)?;
                    let mode = [Mode::Tcx; 2];
                    return Ok(Attached { mode, duplicates });
                }
                Err(error) if choice == Choice::Tcx || !tcx::is_unknown(&error) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        self.detach_links(target)?;
        if choice == Choice::Tcx {
            return Ok(Attached::by([Mode::Device; 2]));
        }
        clsact::attach(target, device, programs).map(Attached::by)
    }

    fn detach_links(&self, target: &Target) -> Result<(), AttachError> {
        for way in Way::BOTH {
            pins::remove(&self.folder, target.pin(way)).map_err(|source| AttachError::Io {
                what: "remove a pin",
                source,
            })?;
        }
        Ok(())
    }
}

impl Hooks for Kernel {
    fn pins(&mut self) -> io::Result<Vec<Pin>> {
        pins::list(&self.folder)
    }

    fn fingerprint(&self, target: &Target) -> u64 {
        match self.manner.choice {
            Choice::Device => 0,
            // Another choice may come to another hook.
            choice => self.constants(target).fingerprint() ^ choice.number(),
        }
    }

    fn keeps(&self, mode: [Mode; 2]) -> bool {
        match self.manner.choice {
            Choice::Tcx => mode == [Mode::Tcx; 2],
            Choice::Auto if tcx::is_there() => mode == [Mode::Tcx; 2],
            Choice::Auto | Choice::Clsact => mode == [Mode::Clsact; 2],
            Choice::Device => mode == [Mode::Device; 2],
        }
    }

    fn attach(&mut self, target: &Target) -> Result<Attached, AttachError> {
        if self.manner.choice == Choice::Device {
            self.detach(target)?;
            return Ok(Attached::by([Mode::Device; 2]));
        }
        let mut programs = Programs::load(&self.constants(target), Maps::Pinned(&self.folder))?;
        at(&target.place, |device| {
            self.attach_here(target, &device, &mut programs)
        })?
    }

    fn look(&mut self, place: &Place) -> Result<Device, AttachError> {
        look_at(place)
    }

    fn examine(&mut self, place: &Place) -> Result<Look, AttachError> {
        examine(place, |device| tcx::links(device, place, self.slots_map))
    }

    fn detach(&mut self, target: &Target) -> Result<(), AttachError> {
        self.detach_links(target)?;
        match at(&target.place, |device| clsact::detach(&device, target)) {
            Ok(done) => done,
            // What was attached is gone with it.
            Err(AttachError::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn settle(&mut self) {
        backlog::settle();
    }

    fn tell(&mut self, scopes: &Scopes) -> io::Result<()> {
        self.scopes
            .as_mut()
            .map_or(Ok(()), |maps| maps.tell(scopes))
    }

    fn remove(&mut self, pin: PinName) -> io::Result<()> {
        pins::remove(&self.folder, pin)
    }
}

/// The device of an interface. Its counters are the container's.
pub(in crate::kernel) fn look_at(place: &Place) -> Result<Device, AttachError> {
    at(place, |device| as_the_containers(place, device))
}

/// What is seen of an interface. `links` counts the links that are ours, where the device is.
pub(in crate::kernel) fn examine(
    place: &Place,
    links: impl FnOnce(&Device) -> [u64; 2] + Send,
) -> Result<Look, AttachError> {
    let mut look = at(place, |device| {
        let filters = clsact::present(&device).unwrap_or_default();
        let links = links(&device);
        Look {
            device: as_the_containers(place, device),
            filters,
            links,
        }
    })?;
    if matches!(place, Place::Node { .. }) {
        look.filters.reverse();
    }
    Ok(look)
}

/// The node's end of a pair receives what the container sends.
fn as_the_containers(place: &Place, mut device: Device) -> Device {
    if matches!(place, Place::Node { .. }) {
        device.counts = device.counts.swapped();
    }
    device
}

/// Runs `body` where the interface at `place` is, with its device.
fn at<T: Send>(place: &Place, body: impl FnOnce(Device) -> T + Send) -> Result<T, AttachError> {
    match place {
        Place::Container { netns, ifindex } => {
            netns::within(netns, || Ok(body(found(Which::Index(*ifindex))?)))?
        }
        Place::Node { name } => Ok(body(found(Which::Name(name.as_str()))?)),
    }
}

fn found(which: Which<'_>) -> Result<Device, AttachError> {
    let found = device::find(which).map_err(|source| AttachError::Io {
        what: "look at the interface",
        source,
    })?;
    found.ok_or(AttachError::Gone)
}
