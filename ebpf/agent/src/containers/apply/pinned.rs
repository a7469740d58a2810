//! The kernel itself.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aya::maps::{Array, HashMap, Map, MapData, MapError};
use berth_ebpf_common as abi;
use berth_ebpf_common::{ContainerOwner, ContainerValue};

use super::{Hook, Kernel, LinkName, Target};
use crate::kernel::bpf::{self, CgroupHook, MapShape};
use crate::kernel::cgroup_program::CgroupProgram;
use crate::kernel::fault::checkpoint;
use crate::kernel::mapped::Mapped;
use crate::kernel::maps::{self, MapsError};
use crate::model::ContainerCounts;

/// The pinned maps and links of this version.
pub struct Pinned {
    folder: PathBuf,
    cgroups: HashMap<MapData, u64, u32>,
    owners: HashMap<MapData, u32, ContainerOwner>,
    values: Array<MapData, ContainerValue>,
    read: Mapped<ContainerValue>,
    /// Those that are the same for many pods.
    programs: BTreeMap<(Hook, u32), CgroupProgram>,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").finish_non_exhaustive()
    }
}

impl Pinned {
    /// Opens the maps that are pinned in `folder`.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn open(folder: &Path) -> Result<Self, MapsError> {
        let typed = |source: MapError| MapsError::Unreadable {
            path: folder.to_owned(),
            source,
        };
        let get = |name| maps::open(folder, name, &shape(name));
        let values = get(abi::maps::CONTAINERS)?;
        let read = Mapped::new(
            maps::descriptor(&values),
            abi::CONTAINER_SLOTS * abi::CONTAINER_SHARDS,
        );
        Ok(Self {
            cgroups: Map::HashMap(get(abi::maps::CGROUPS)?)
                .try_into()
                .map_err(typed)?,
            owners: Map::HashMap(get(abi::maps::CONTAINER_OWNERS)?)
                .try_into()
                .map_err(typed)?,
            values: Map::Array(values).try_into().map_err(typed)?,
            read: read.map_err(|source| MapsError::Io {
                what: "map into memory",
                path: folder.join(abi::maps::CONTAINERS),
                source,
            })?,
            folder: folder.to_owned(),
            programs: BTreeMap::new(),
        })
    }

    fn pin(&self, name: LinkName) -> PathBuf {
        self.folder.join("links").join(name.file())
    }

    /// Whether the cgroup of a pinned link is still there; `None` without such a pin.
    fn look(&self, name: LinkName) -> io::Result<Option<bool>> {
        match bpf::open(&self.pin(name)) {
            Ok(link) => Ok(Some(bpf::cgroup_of(link.as_fd())? == name.pod)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts `program` at `target`, in the place of what is pinned there.
    fn put(&mut self, target: &Target, program: &mut CgroupProgram) -> io::Result<()> {
        let name = target.name;
        let program = program.fd().map_err(io::Error::other)?;
        if self.look(name)? == Some(true) {
            let link = bpf::open(&self.pin(name))?;
            checkpoint("container-swap");
            return bpf::update(link.as_fd(), program);
        }
        self.detach(name)?;
        let cgroup = open(target)?;
        checkpoint("container-attach");
        let link = bpf::attach_cgroup(program, cgroup.as_fd(), hook(name.hook))?;
        checkpoint("container-pin");
        bpf::pin(link.as_fd(), &self.pin(name))
    }
}

impl Kernel for Pinned {
    fn links(&mut self) -> io::Result<BTreeMap<LinkName, bool>> {
        let mut links = BTreeMap::new();
        for entry in fs::read_dir(self.folder.join("links"))? {
            let file = entry?.file_name();
            let Some(name) = file.to_str().and_then(LinkName::parse) else {
                continue;
            };
            links.extend(self.look(name)?.map(|alive| (name, alive)));
        }
        Ok(links)
    }

    fn attach(&mut self, target: &Target) -> io::Result<()> {
        let Target {
            name,
            path: _,
            constant,
        } = target;
        let load = |folder: &Path| {
            CgroupProgram::load(folder, name.hook, *constant).map_err(io::Error::other)
        };
        if name.hook == Hook::Tcp {
            return self.put(target, &mut load(&self.folder)?);
        }
        let key = (name.hook, *constant);
        let mut program = match self.programs.remove(&key) {
            Some(program) => program,
            None => load(&self.folder)?,
        };
        let put = self.put(target, &mut program);
        self.programs.insert(key, program);
        put
    }

    fn detach(&mut self, name: LinkName) -> io::Result<()> {
        checkpoint("container-detach");
        match fs::remove_file(self.pin(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn mapped(&mut self) -> io::Result<BTreeMap<u64, u32>> {
        let entries = self.cgroups.iter();
        entries.map(|entry| entry.map_err(maps::broken)).collect()
    }

    fn map(&mut self, cgroup: u64, slot: u32) -> io::Result<()> {
        checkpoint("container-map");
        self.cgroups.insert(cgroup, slot, 0).map_err(maps::broken)
    }

    fn unmap(&mut self, cgroup: u64) -> io::Result<()> {
        checkpoint("container-unmap");
        match self.cgroups.remove(&cgroup).map_err(maps::broken) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn owners(&mut self) -> io::Result<BTreeMap<u32, ContainerOwner>> {
        let entries = self.owners.iter();
        entries.map(|entry| entry.map_err(maps::broken)).collect()
    }

    fn set_owner(&mut self, slot: u32, owner: &ContainerOwner) -> io::Result<()> {
        checkpoint("container-owner");
        self.owners.insert(slot, owner, 0).map_err(maps::broken)
    }

    fn counts(&self, slot: u32) -> ContainerCounts {
        let mut counts = ContainerCounts::default();
        for shard in 0..abi::CONTAINER_SHARDS {
            let value = self.read.get(abi::container_index(slot, shard));
            let ContainerValue {
                receive,
                transmit,
                loopback_receive,
                loopback_transmit,
            } = value.unwrap_or_default();
            counts.add(&ContainerCounts {
                receive,
                transmit,
                loopback_receive,
                loopback_transmit,
            });
        }
        counts
    }

    fn zero(&mut self, slot: u32) -> io::Result<()> {
        for shard in 0..abi::CONTAINER_SHARDS {
            checkpoint("container-zero");
            let at = abi::container_index(slot, shard);
            let zeroed = self.values.set(at, ContainerValue::default(), 0);
            zeroed.map_err(maps::broken)?;
        }
        Ok(())
    }
}

/// The pod's folder, when it is still the same one.
fn open(target: &Target) -> io::Result<File> {
    let folder = File::options()
        .read(true)
        .custom_flags(nix::libc::O_DIRECTORY | nix::libc::O_CLOEXEC)
        .open(&target.path)?;
    if folder.metadata()?.ino() != target.name.pod {
        return Err(nix::errno::Errno::ENOENT.into());
    }
    Ok(folder)
}

const fn hook(hook: Hook) -> CgroupHook {
    match hook {
        Hook::Receive => CgroupHook::Ingress,
        Hook::Transmit => CgroupHook::Egress,
        Hook::Tcp => CgroupHook::SockOps,
    }
}

/// The shape of the map `name`; one that nothing has, for a name that is not known.
fn shape(name: &str) -> MapShape {
    let known = maps::ALL.iter().find(|(known, _)| *known == name);
    known.map_or(
        MapShape {
            kind: 0,
            key: 0,
            value: 0,
            entries: 0,
            flags: 0,
        },
        |(_, shape)| *shape,
    )
}
