//! The programs, with the constants of one attachment.
//!
//! [`Programs::load`] makes or opens the maps and sets the constants; the kernel sees a program only
//! when it is asked for, so that an attachment costs no more than the programs it attaches.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use aya::maps::Map;
use aya::programs::{CgroupSkb, Program, ProgramError, SchedClassifier, SockOps};
use aya::{Ebpf, EbpfError, EbpfLoader};
use berth_ebpf_common::{SLOTS, constants, maps};
use berth_types::fnv1a;

/// What `ebpf/rebuild.sh` makes.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!("../../programs.o");

/// The maps that the programs use. The agent has more, which are its own.
pub const MAPS: [&str; 9] = [
    maps::SLOTS,
    maps::DETAILS,
    maps::TCP,
    maps::SCOPE4,
    maps::SCOPE6,
    maps::NEAR4,
    maps::NEAR6,
    maps::CGROUPS,
    maps::CONTAINERS,
];

/// What a program is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Constants {
    /// The slot it counts into.
    pub slot: u32,
    /// How much it tells apart: one of [`constants`].
    pub level: u32,
    /// Whether it is at the node's end of a pair: 1, or 0.
    pub node_end: u32,
    /// Whether segments with RST are counted: 1, or 0.
    pub tcp: u32,
    /// How many levels below the root of its hierarchy a container's cgroup is.
    pub depth: u32,
}

impl Constants {
    /// Each by its name in the object.
    const fn by_name(&self) -> [(&'static str, u32); 5] {
        let Self {
            slot,
            level,
            node_end,
            tcp,
            depth,
        } = *self;
        [
            (constants::SLOT, slot),
            (constants::LEVEL, level),
            (constants::NODE_END, node_end),
            (constants::TCP, tcp),
            (constants::DEPTH, depth),
        ]
    }

    /// What tells the programs with these constants from all others; never 0.
    pub fn fingerprint(&self) -> u64 {
        let abi = berth_ebpf_common::ABI;
        let values = self.by_name().map(|(_, value)| value.to_string()).join("/");
        let text = format!("{:x}/{abi}/{values}", *DIGEST);
        fnv1a(text.as_bytes()).max(1)
    }
}

/// What tells the object from that of another release.
static DIGEST: LazyLock<u64> = LazyLock::new(|| fnv1a(OBJECT));

/// What loads the object over pinned maps. One for all: a loader reads all of the kernel's own types
/// when it is made, which takes longer than all else, and the programs use none of them.
static PINNED: LazyLock<Mutex<EbpfLoader<'static>>> = LazyLock::new(loader);

/// The same over maps of its own.
static OWN: LazyLock<Mutex<EbpfLoader<'static>>> = LazyLock::new(loader);

fn loader() -> Mutex<EbpfLoader<'static>> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    Mutex::new(loader)
}

/// Each load says all of what it wants, so that one that panicked leaves nothing wrong behind.
fn held(loader: &'static Mutex<EbpfLoader<'static>>) -> MutexGuard<'static, EbpfLoader<'static>> {
    loader.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What constants can be: a loader borrows them for as long as it lives.
static NUMBERS: LazyLock<Vec<u32>> = LazyLock::new(|| (0..SLOTS).collect());

fn number(name: &'static str, value: u32) -> Result<&'static u32, LoadError> {
    let at = usize::try_from(value).ok();
    at.and_then(|at| NUMBERS.get(at))
        .ok_or(LoadError::Constant { name, value })
}

/// Where the maps are.
#[derive(Clone, Copy, Debug)]
pub enum Maps<'a> {
    /// Pinned in this folder by their names, all of [`MAPS`]. One that is missing is made and pinned;
    /// what is there is used *unseen*: look at it first.
    Pinned(&'a Path),
    /// New ones, which end with the programs.
    Own,
}

/// The direction, as the container sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// What it receives.
    Receive,
    /// What it sends.
    Transmit,
}

impl Way {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Receive, Self::Transmit];

    /// Its name, in labels and in those of programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Transmit => "transmit",
        }
    }

    const fn container(self) -> &'static str {
        match self {
            Self::Receive => "container_receive",
            Self::Transmit => "container_transmit",
        }
    }
}

/// Why there are no programs.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The object, or one of its maps.
    #[error("the programs cannot be prepared")]
    Object(#[from] EbpfError),
    /// The kernel's verifier, or a missing privilege.
    #[error("the kernel refuses the program {name:?}")]
    Program {
        /// Its name.
        name: &'static str,
        /// Why.
        source: ProgramError,
    },
    /// No slot, level or depth is as high.
    #[error("the constant {name} cannot be {value}: it is below {SLOTS}")]
    Constant {
        /// Which.
        name: &'static str,
        /// What it was to be.
        value: u32,
    },
    /// The object is not the agent's.
    #[error("the object has no program {0:?}")]
    Missing(&'static str),
}

/// The programs of one attachment. What is attached through them ends with them, unless its link
/// was taken out and pinned.
#[derive(Debug)]
pub struct Programs {
    object: Ebpf,
}

impl Programs {
    /// Prepares the programs with `constants`, over `maps`.
    ///
    /// # Errors
    /// [`LoadError::Object`].
    pub fn load(constants: &Constants, maps: Maps<'_>) -> Result<Self, LoadError> {
        let mut loader = match maps {
            Maps::Pinned(folder) => {
                let mut loader = held(&PINNED);
                for name in MAPS {
                    loader.map_pin_path(name, folder.join(name));
                }
                loader
            }
            Maps::Own => held(&OWN),
        };
        for (name, value) in constants.by_name() {
            loader.override_global(name, number(name, value)?, true);
        }
        let object = loader.load(OBJECT)?;
        Ok(Self { object })
    }

    /// What counts an interface, for its ingress or its egress.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn classifier(&mut self, way: Way) -> Result<&mut SchedClassifier, LoadError> {
        let name = way.name();
        match self.object.program_mut(name) {
            Some(Program::SchedClassifier(program)) => {
                if program.fd().is_err() {
                    let loaded = program.load();
                    loaded.map_err(|source| LoadError::Program { name, source })?;
                }
                Ok(program)
            }
            _ => Err(LoadError::Missing(name)),
        }
    }

    /// The same, to attach it by a link.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn descriptor(&mut self, way: Way) -> Result<BorrowedFd<'_>, LoadError> {
        let name = way.name();
        let program = self.classifier(way)?.fd();
        Ok(program
            .map_err(|source| LoadError::Program { name, source })?
            .as_fd())
    }

    /// What counts the containers of a pod, for the ingress or the egress of the pod's cgroup.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn container(&mut self, way: Way) -> Result<&mut CgroupSkb, LoadError> {
        let name = way.container();
        match self.object.program_mut(name) {
            Some(Program::CgroupSkb(program)) => {
                if program.fd().is_err() {
                    let loaded = program.load();
                    loaded.map_err(|source| LoadError::Program { name, source })?;
                }
                Ok(program)
            }
            _ => Err(LoadError::Missing(name)),
        }
    }

    /// What counts the connections of a pod, for the pod's cgroup.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn connection(&mut self) -> Result<&mut SockOps, LoadError> {
        let name = "connection";
        match self.object.program_mut(name) {
            Some(Program::SockOps(program)) => {
                if program.fd().is_err() {
                    let loaded = program.load();
                    loaded.map_err(|source| LoadError::Program { name, source })?;
                }
                Ok(program)
            }
            _ => Err(LoadError::Missing(name)),
        }
    }

    /// One of [`MAPS`].
    pub fn map(&self, name: &str) -> Option<&Map> {
        self.object.map(name)
    }

    /// One of [`MAPS`], to be written to.
    pub fn map_mut(&mut self, name: &str) -> Option<&mut Map> {
        self.object.map_mut(name)
    }
}
