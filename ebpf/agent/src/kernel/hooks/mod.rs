//! What is attached where: the one way the agent changes anything of an interface.

mod error;
mod kernel;

use std::io;

use super::bpf::Order;
use super::device::Device;
use super::load::Way;
use super::pins::{Pin, PinName};
use crate::ledger::Place;
use crate::model::Mode;
use crate::scope::Scopes;
pub use error::AttachError;
pub use kernel::Kernel;
pub(super) use kernel::{examine, look_at};

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

/// How an interface is counted, and what was in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// How, receive and transmit.
    pub mode: [Mode; 2],
    /// Links of ours that counted it once more and were removed, by the same.
    pub duplicates: [u64; 2],
}

impl Attached {
    /// By `mode`, with nothing in the way.
    pub const fn by(mode: [Mode; 2]) -> Self {
        Self {
            mode,
            duplicates: [0; 2],
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
    /// Links of ours that count it, receive and transmit: more than one count it twice.
    pub links: [u64; 2],
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
    fn attach(&mut self, target: &Target) -> Result<Attached, AttachError>;
    /// Looks at an interface's device. Its counters are the container's.
    ///
    /// # Errors
    /// [`AttachError::Gone`] without one.
    fn look(&mut self, place: &Place) -> Result<Device, AttachError>;
    /// The same, and looks at what is attached there.
    ///
    /// # Errors
    /// As for [`Hooks::look`].
    fn examine(&mut self, place: &Place) -> Result<Look, AttachError>;
    /// Takes the programs of an interface away.
    ///
    /// # Errors
    /// [`AttachError`], but not that it is gone.
    fn detach(&mut self, target: &Target) -> Result<(), AttachError>;
    /// Waits until the programs have seen what devices had counted before.
    fn settle(&mut self);
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
