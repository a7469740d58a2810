//! How often programs run and how long that takes, as the kernel measures it while somebody asks
//! it to.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use aya::maps::MapData;
use aya::programs::loaded_programs;
use aya::sys::{Stats, enable_stats};
use berth_ebpf_common::maps;

use super::bpf;

/// Our programs by their names in the object, of which the kernel keeps the first 15 bytes, and the
/// map that each counts into.
const PROGRAMS: [(&str, &str); 5] = [
    ("receive", maps::SLOTS),
    ("transmit", maps::SLOTS),
    ("container_receive", maps::CONTAINERS),
    ("container_transmit", maps::CONTAINERS),
    ("connection", maps::TCP),
];
/// How much of a name the kernel keeps.
const NAME: usize = 15;

/// What a program has done while that was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// How often it ran.
    pub runs: u64,
    /// How long, all runs together.
    pub nanoseconds: u64,
}

/// What one loaded program has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its name in the object.
    pub name: &'static str,
    /// What it has done.
    pub runs: Runs,
}

/// The kernel measures as long as one of these is there, also when this process is killed.
#[derive(Debug)]
pub struct Measuring {
    _measuring: OwnedFd,
}

impl Measuring {
    /// Begins.
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_ADMIN`, `EINVAL` from kernels before 5.8.
    pub fn begin() -> io::Result<Self> {
        let measuring = enable_stats(Stats::RunTime).map_err(|error| error.io_error)?;
        Ok(Self {
            _measuring: measuring,
        })
    }
}

/// All loaded programs that count into the maps pinned in `folder`, by their numbers. One that is
/// unloaded meanwhile is left out.
///
/// # Errors
/// The kernel's, when the maps cannot be opened.
pub fn loaded(folder: &Path) -> io::Result<BTreeMap<u32, Loaded>> {
    let mut known = Vec::new();
    for (name, map) in PROGRAMS {
        known.push((name, number_of(folder, map)?));
    }
    let all = loaded_programs().filter_map(Result::ok);
    let ours = all.filter_map(|program| {
        let is = |name: &str| name.bytes().take(NAME).eq(program.name().iter().copied());
        let (name, map) = *known.iter().find(|(name, _)| is(name))?;
        let counts = bpf::maps_of(program.id()).is_ok_and(|maps| maps.contains(&map));
        let runs = Runs {
            runs: program.run_count(),
            nanoseconds: u64::try_from(program.run_time().as_nanos()).unwrap_or(u64::MAX),
        };
        counts.then_some((program.id(), Loaded { name, runs }))
    });
    Ok(ours.collect())
}

fn number_of(folder: &Path, map: &str) -> io::Result<u32> {
    let opened = MapData::from_pin(folder.join(map)).map_err(io::Error::other)?;
    Ok(opened.info().map_err(io::Error::other)?.id())
}
