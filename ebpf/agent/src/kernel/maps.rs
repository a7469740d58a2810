//! The pinned maps: made by the agent, and looked at before they are used again.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use aya::maps::{MapData, MapError};
use aya::sys::SyscallError;
use berth_ebpf_common as abi;

use super::bpf::{self, MapShape};
use super::fault::checkpoint;

const HASH: u32 = 1;
const ARRAY: u32 = 2;
const LPM_TRIE: u32 = 11;
const NO_PREALLOC: u32 = 1;
const MAPPED: u32 = 1 << 10;

/// Every map of this version, by the name of its pin.
pub const ALL: [(&str, MapShape); 12] = [
    (
        abi::maps::SLOTS,
        array::<abi::SlotValue>(abi::SLOTS * abi::SHARDS, MAPPED),
    ),
    (
        abi::maps::DETAILS,
        array::<abi::DetailValue>(abi::SLOTS * abi::DETAIL_SHARDS, MAPPED),
    ),
    (abi::maps::TCP, array::<abi::TcpValue>(abi::SLOTS, MAPPED)),
    (
        abi::maps::SCOPE4,
        map::<[u8; 8], u32>(LPM_TRIE, abi::SCOPE_ENTRIES, NO_PREALLOC),
    ),
    (
        abi::maps::SCOPE6,
        map::<[u8; 20], u32>(LPM_TRIE, abi::SCOPE_ENTRIES, NO_PREALLOC),
    ),
    (
        abi::maps::NEAR4,
        map::<[u8; 4], u32>(HASH, abi::NEAR_ENTRIES, 0),
    ),
    (
        abi::maps::NEAR6,
        map::<[u8; 16], u32>(HASH, abi::NEAR_ENTRIES, 0),
    ),
    (abi::maps::CGROUPS, map::<u64, u32>(HASH, abi::CGROUPS, 0)),
    (
        abi::maps::CONTAINERS,
        array::<abi::ContainerValue>(abi::CONTAINER_SLOTS * abi::CONTAINER_SHARDS, MAPPED),
    ),
    (
        abi::maps::CONTAINER_OWNERS,
        map::<u32, abi::ContainerOwner>(HASH, abi::CONTAINER_SLOTS, NO_PREALLOC),
    ),
    (abi::maps::OWNERS, array::<abi::Owner>(abi::SLOTS, 0)),
    (
        abi::maps::WORKLOADS,
        map::<abi::WorkloadKey, abi::Workload>(HASH, abi::WORKLOADS, 0),
    ),
];

const fn array<V>(entries: u32, flags: u32) -> MapShape {
    map::<u32, V>(ARRAY, entries, flags)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "sizes of a few kilobytes, in a constant"
)]
const fn map<K, V>(kind: u32, entries: u32, flags: u32) -> MapShape {
    MapShape {
        kind,
        key: size_of::<K>() as u32,
        value: size_of::<V>() as u32,
        entries,
        flags,
    }
}

/// Why a pinned map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MapsError {
    /// The kernel refused.
    #[error("cannot {what} {path:?}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The pin's path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be looked at.
    #[error("cannot look at the map {path:?}")]
    Unreadable {
        /// The pin's path.
        path: PathBuf,
        /// Why.
        source: MapError,
    },
    /// Somebody else's, or of another version.
    #[error("the map {path:?} has {field} {found} and not {wanted}")]
    Other {
        /// The pin's path.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// What it has.
        found: u32,
        /// What it should have.
        wanted: u32,
    },
}

impl MapsError {
    /// One sentence telling the operator what to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { source, .. } => match source.raw_os_error() {
                Some(nix::libc::EPERM | nix::libc::EACCES) => {
                    "run the agent with CAP_BPF and CAP_NET_ADMIN, and look whether kernel lockdown \
                     or seccomp forbids bpf(2)"
                        .into()
                }
                Some(nix::libc::ENOENT) => {
                    "nothing is counted here: start `traffic-agent run`, or name its --bpffs".into()
                }
                Some(nix::libc::ENOMEM) => {
                    "raise the memory limit of the agent's cgroup to at least 128 MiB".into()
                }
                Some(nix::libc::ENOSPC) => "make room in the bpffs: it has no inode left".into(),
                _ => "look at `dmesg` for what the kernel says".into(),
            },
            Self::Unreadable { path, .. } | Self::Other { path, .. } => format!(
                "it is not used, so that nothing is counted wrong; remove it with `rm {}` if nobody \
                 else needs it, or choose another --bpffs",
                path.display()
            ),
        }
    }
}

/// Opens the map `name` below `folder`, or makes and pins it.
///
/// # Errors
/// [`MapsError`]; one that is there and differs is left alone.
pub fn open_or_make(folder: &Path, name: &str, shape: &MapShape) -> Result<MapData, MapsError> {
    let path = folder.join(name);
    let failed = |what| {
        let path = path.clone();
        move |source| MapsError::Io { what, path, source }
    };
    match bpf::open(&path) {
        Ok(fd) => checked(fd, &path, shape),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = bpf::create_map(name, shape).map_err(failed("make the map"))?;
            bpf::pin(made.as_fd(), &path).map_err(failed("pin the map"))?;
            checkpoint("map-pinned");
            checked(made, &path, shape)
        }
        Err(error) => Err(failed("open the map")(error)),
    }
}

/// Opens the map `name` below `folder`.
///
/// # Errors
/// [`MapsError`], also when it is not there.
pub fn open(folder: &Path, name: &str, shape: &MapShape) -> Result<MapData, MapsError> {
    let path = folder.join(name);
    let fd = bpf::open(&path).map_err(|source| MapsError::Io {
        what: "open the map",
        path: path.clone(),
        source,
    })?;
    checked(fd, &path, shape)
}

/// The folder of this version's pins below `root`, made when it is missing; only for its owner.
///
/// # Errors
/// [`MapsError::Io`].
pub fn folder(root: &Path) -> Result<PathBuf, MapsError> {
    let folder = folder_of(root);
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder.join("links"));
    made.map_err(|source| MapsError::Io {
        what: "make the folder",
        path: folder.join("links"),
        source,
    })?;
    Ok(folder)
}

/// The path of that folder.
pub fn folder_of(root: &Path) -> PathBuf {
    root.join("berth").join(format!("v{}", abi::ABI))
}

fn checked(fd: OwnedFd, path: &Path, shape: &MapShape) -> Result<MapData, MapsError> {
    let unreadable = |source| MapsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let map = MapData::from_fd(fd).map_err(unreadable)?;
    let info = map.info().map_err(unreadable)?;
    let MapShape {
        kind,
        key,
        value,
        entries,
        flags,
    } = *shape;
    #[expect(
        clippy::as_conversions,
        reason = "the discriminant is the kernel's number"
    )]
    let found_kind = info.map_type().map_or(u32::MAX, |kind| kind as u32);
    let pairs = [
        ("type", found_kind, kind),
        ("key size", info.key_size(), key),
        ("value size", info.value_size(), value),
        ("entries", info.max_entries(), entries),
        ("flags", info.map_flags(), flags),
    ];
    let wrong = pairs.into_iter().find(|(_, found, wanted)| found != wanted);
    match wrong {
        None => Ok(map),
        Some((field, found, wanted)) => Err(MapsError::Other {
            path: path.to_owned(),
            field,
            found,
            wanted,
        }),
    }
}

/// The kernel's reason in what [`aya`] says of a map that is known to be right.
pub fn broken(error: MapError) -> io::Error {
    match error {
        MapError::SyscallError(SyscallError { io_error, .. }) => io_error,
        other => io::Error::other(other),
    }
}

/// The maps' folders of other versions below `root`, by their numbers.
pub fn other_versions(root: &Path) -> Vec<(u32, PathBuf)> {
    let entries = fs::read_dir(root.join("berth"))
        .into_iter()
        .flatten()
        .flatten();
    let version = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let number = name.to_str()?.strip_prefix('v')?.parse().ok()?;
        (number != abi::ABI).then(|| (number, entry.path()))
    };
    entries.filter_map(version).collect()
}

/// A reference that is enough for the system calls above.
pub fn descriptor(map: &MapData) -> std::os::fd::BorrowedFd<'_> {
    map.fd().as_fd()
}
