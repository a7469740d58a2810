//! The programs of one interface, with its constants.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use aya::programs::{Program, ProgramError, SchedClassifier};
use aya::{Ebpf, EbpfError, EbpfLoader};
use berth_ebpf_common as abi;
use berth_ebpf_common::constants;

use super::maps;

/// What `ebpf/rebuild.sh` makes.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../programs.o");

/// What a program is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constants {
    /// The slot it counts into.
    pub slot: u32,
    /// How much it tells apart: one of [`constants`].
    pub level: u32,
    /// Whether it is at the node's end of a pair: 1, or 0.
    pub node_end: u32,
    /// Whether segments with RST are counted: 1, or 0.
    pub tcp: u32,
}

impl Constants {
    /// What tells the programs with these constants from all others; never 0.
    pub fn fingerprint(&self) -> u64 {
        let Self {
            slot,
            level,
            node_end,
            tcp,
        } = self;
        let object = berth_types::fnv1a(OBJECT);
        let text = format!("{object}/{}/{slot}/{level}/{node_end}/{tcp}", abi::ABI);
        berth_types::fnv1a(text.as_bytes()).max(1)
    }
}

/// The two programs of an interface, loaded.
#[derive(Debug)]
pub struct Programs {
    object: Ebpf,
}

/// Why there are no programs.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The object, or the maps.
    #[error("the programs cannot be loaded")]
    Object(#[from] EbpfError),
    /// The kernel's verifier, or a missing privilege.
    #[error("the kernel refuses a program")]
    Program(#[from] ProgramError),
    /// The object is not the agent's.
    #[error("the object has no program {0}")]
    Missing(&'static str),
}

/// Whether it is what the container receives or what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Receives.
    Receive,
    /// Sends.
    Transmit,
}

impl Way {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Receive, Self::Transmit];

    /// The program's name, which is the label's value as well.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Transmit => "transmit",
        }
    }
}

impl Programs {
    /// Loads both, with the maps that are pinned in `folder`.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(folder: &Path, constants: &Constants) -> Result<Self, LoadError> {
        let Constants {
            slot,
            level,
            node_end,
            tcp,
        } = constants;
        let mut loader = EbpfLoader::new();
        loader
            .btf(None)
            .override_global(constants::SLOT, slot, true)
            .override_global(constants::LEVEL, level, true)
            .override_global(constants::NODE_END, node_end, true)
            .override_global(constants::TCP, tcp, true);
        for (name, _) in maps::ALL {
            loader.map_pin_path(name, folder.join(name));
        }
        let mut object = loader.load(OBJECT)?;
        for way in Way::BOTH {
            classifier(&mut object, way)?.load()?;
        }
        Ok(Self { object })
    }

    /// One of them.
    ///
    /// # Errors
    /// [`LoadError::Missing`].
    pub fn fd(&self, way: Way) -> Result<BorrowedFd<'_>, LoadError> {
        match self.object.program(way.name()) {
            Some(Program::SchedClassifier(program)) => Ok(program.fd()?.as_fd()),
            _ => Err(LoadError::Missing(way.name())),
        }
    }

    /// One of them, to attach it by a filter.
    ///
    /// # Errors
    /// [`LoadError::Missing`].
    pub fn classifier(&mut self, way: Way) -> Result<&mut SchedClassifier, LoadError> {
        classifier(&mut self.object, way)
    }
}

fn classifier(object: &mut Ebpf, way: Way) -> Result<&mut SchedClassifier, LoadError> {
    match object.program_mut(way.name()) {
        Some(Program::SchedClassifier(program)) => Ok(program),
        _ => Err(LoadError::Missing(way.name())),
    }
}
