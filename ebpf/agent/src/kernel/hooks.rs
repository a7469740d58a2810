//! What is attached where: the one way the agent changes anything of an interface.

use std::io;
use std::path::PathBuf;

use super::bpf::Order;
use super::device::{self, Device, Which};
use super::load::{Constants, LoadError, Maps, Programs, Way};
use super::netns::{self, NetnsError};
use super::pins::{self, Pin, PinName};
use super::{clsact, tcx};
use crate::ledger::Place;
use crate::model::Mode;
use crate::scope::{ScopeMaps, Scopes};

/// Which hooks are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// TCX, then clsact, then the device's own counters.
    #[default]
    Auto,
    /// TCX, or the device's own counters.
    Tcx,
    /// clsact, or the device's own counters.
    Clsact,
    /// The device's own counters.
    Device,
}

impl Choice {
    const fn number(self) -> u64 {
        match self {
            Self::Auto | Self::Tcx => 0,
            Self::Clsact => 1,
            Self::Device => 2,
        }
    }
}

/// How everything is attached.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Which hooks are tried.
    pub choice: Choice,
    /// Where in the row of programs.
    pub order: Order,
    /// How much is told apart: one of [`berth_ebpf_common::constants`].
    pub level: u32,
    /// Whether segments with RST are counted: 1, or 0.
    pub tcp: u32,
}

/// An interface, and the slot it is counted into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The slot.
    pub slot: u32,
    /// What tells its pins from others of the slot.
    pub generation: u64,
    /// Where it is.
    pub place: Place,
}

impl Target {
    /// The name of its pin.
    pub const fn pin(&self, way: Way) -> PinName {
        PinName {
            slot: self.slot,
            generation: self.generation,
            way,
        }
    }
}

/// Why an interface is not attached to.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// It is gone, or on its way.
    #[error("the interface is gone")]
    Gone,
    /// Its namespace cannot be entered.
    #[error(transparent)]
    Netns(NetnsError),
    /// There are no programs.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The kernel refused.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl AttachError {
    /// A word for the label `reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Netns(_) => "netns",
            Self::Load(_) => "load",
            Self::Io { .. } => "attach",
        }
    }

    /// One sentence telling the operator what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Gone => "nothing: the pod has ended",
            Self::Netns(_) => {
                "run the agent with CAP_SYS_ADMIN, with CAP_SYS_PTRACE where the runtime names \
                 namespaces by /proc, and let it see the runtime's /run/netns"
            }
            Self::Load(_) => {
                "run the agent with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON on Linux 5.10 or later"
            }
            Self::Io { .. } => {
                "run the agent with CAP_NET_ADMIN; `dmesg` may have the kernel's words"
            }
        }
    }
}

impl From<NetnsError> for AttachError {
    fn from(error: NetnsError) -> Self {
        match error {
            NetnsError::Gone(_) => Self::Gone,
            other @ NetnsError::Io(..) => Self::Netns(other),
        }
    }
}

/// What was seen of an interface.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its device.
    pub device: Device,
    /// Whether each of its filters is there, in mode clsact.
    pub filters: [bool; 2],
}

/// The kernel's hooks. Every method can be repeated.
pub trait Hooks: Send + std::fmt::Debug {
    /// All pinned links.
    ///
    /// # Errors
    /// The kernel's.
    fn pins(&mut self) -> io::Result<Vec<Pin>>;
    /// What tells the programs of an interface from others; 0 when there are none.
    fn fingerprint(&self, target: &Target) -> u64;
    /// Whether an interface that is counted by `mode` stays so, so that [`Hooks::attach`] leaves no
    /// gap when nothing is missing.
    fn keeps(&self, mode: [Mode; 2]) -> bool;
    /// Makes sure that an interface is counted once, by these programs: attaches what is missing,
    /// replaces what is older without a gap, removes what would count twice. Answers how.
    ///
    /// # Errors
    /// [`AttachError`].
    fn attach(&mut self, target: &Target) -> Result<[Mode; 2], AttachError>;
    /// Looks at an interface's device. Its counters are the container's.
    ///
    /// # Errors
    /// [`AttachError::Gone`] without one.
    fn look(&mut self, place: &Place) -> Result<Look, AttachError>;
    /// Takes the programs of an interface away.
    ///
    /// # Errors
    /// [`AttachError`], but not that it is gone.
    fn detach(&mut self, target: &Target) -> Result<(), AttachError>;
    /// Tells the programs where addresses are.
    ///
    /// # Errors
    /// The kernel's, as when there are too many.
    fn tell(&mut self, scopes: &Scopes) -> io::Result<()>;
    /// Removes a pin that belongs to nobody.
    ///
    /// # Errors
    /// The kernel's.
    fn remove(&mut self, pin: PinName) -> io::Result<()>;
}

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
    ) -> Result<[Mode; 2], AttachError> {
        let Manner { choice, order, .. } = self.manner;
        if matches!(choice, Choice::Auto | Choice::Tcx) {
            let tcx = tcx::Tcx {
                folder: &self.folder,
                slots_map: self.slots_map,
                order,
            };
            match tcx.attach(target, device, programs) {
                Ok(()) => {
                    clsact::detach(device, target)?;
                    return Ok([Mode::Tcx; 2]);
                }
                Err(error) if choice == Choice::Tcx || !tcx::is_unknown(&error) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        self.detach_links(target)?;
        if choice == Choice::Tcx {
            return Ok([Mode::Device; 2]);
        }
        clsact::attach(target, device, programs)
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

    fn attach(&mut self, target: &Target) -> Result<[Mode; 2], AttachError> {
        if self.manner.choice == Choice::Device {
            self.detach(target)?;
            return Ok([Mode::Device; 2]);
        }
        let mut programs = Programs::load(&self.constants(target), Maps::Pinned(&self.folder))?;
        at(&target.place, |device| {
            self.attach_here(target, &device, &mut programs)
        })?
    }

    fn look(&mut self, place: &Place) -> Result<Look, AttachError> {
        look_at(place)
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

    fn tell(&mut self, scopes: &Scopes) -> io::Result<()> {
        self.scopes
            .as_mut()
            .map_or(Ok(()), |maps| maps.tell(scopes))
    }

    fn remove(&mut self, pin: PinName) -> io::Result<()> {
        pins::remove(&self.folder, pin)
    }
}

/// What is seen of an interface; its device's counters are the container's.
pub(super) fn look_at(place: &Place) -> Result<Look, AttachError> {
    let mut look = at(place, |device| {
        let filters = clsact::present(&device).unwrap_or_default();
        Look { device, filters }
    })?;
    if matches!(place, Place::Node { .. }) {
        look.device.counts = look.device.counts.swapped();
        look.filters.reverse();
    }
    Ok(look)
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
