//! The kernel's own maps.

use std::fmt;
use std::io;
use std::path::Path;

use aya::maps::{Array, HashMap, IterableMap as _, Map, MapData, MapError};
use berth_ebpf_common as abi;
use berth_ebpf_common::{DetailValue, Owner, SlotValue, TcpValue, Workload, WorkloadKey};

use super::{Counted, Layout, Store};
use crate::kernel::fault::{checkpoint, slots};
use crate::kernel::mapped::Mapped;
use crate::kernel::maps::{self, MapsError};

/// The pinned maps of this version.
pub struct Pinned {
    owners: Array<MapData, Owner>,
    workloads: HashMap<MapData, WorkloadKey, Workload>,
    slots: Array<MapData, SlotValue>,
    details: Array<MapData, DetailValue>,
    tcp: Array<MapData, TcpValue>,
    read_slots: Mapped<SlotValue>,
    read_details: Mapped<DetailValue>,
    read_tcp: Mapped<TcpValue>,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").finish_non_exhaustive()
    }
}

/// How maps are got: by `maps::open` or `maps::open_or_make`.
type Get = fn(&Path, &str, &crate::kernel::bpf::MapShape) -> Result<MapData, MapsError>;

impl Pinned {
    /// Opens or makes every map of this version in `folder`.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn make(folder: &Path) -> Result<Self, MapsError> {
        // The programs' own as well, so that each is looked at before the loader uses it.
        for (name, shape) in maps::ALL {
            drop(maps::open_or_make(folder, name, &shape)?);
        }
        Layout::own().write(folder)?;
        Self::with(folder, maps::open_or_make)
    }

    /// Opens the maps that are in `folder`, to read them.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn open(folder: &Path) -> Result<Self, MapsError> {
        Self::with(folder, maps::open)
    }

    fn with(folder: &Path, get: Get) -> Result<Self, MapsError> {
        let get = |name: &str| {
            let shape = maps::ALL.iter().find(|(known, _)| *known == name);
            let path = folder.join(name);
            let (_, shape) = shape.ok_or_else(|| MapsError::Io {
                what: "find the shape of",
                path: path.clone(),
                source: io::ErrorKind::NotFound.into(),
            })?;
            get(folder, name, shape)
        };
        let slots = get(abi::maps::SLOTS)?;
        let details = get(abi::maps::DETAILS)?;
        let tcp = get(abi::maps::TCP)?;
        let read_slots = mapped(&slots, abi::maps::SLOTS, folder)?;
        let read_details = mapped(&details, abi::maps::DETAILS, folder)?;
        let read_tcp = mapped(&tcp, abi::maps::TCP, folder)?;
        let typed = |source: MapError| MapsError::Unreadable {
            path: folder.to_owned(),
            source,
        };
        Ok(Self {
            owners: Map::Array(get(abi::maps::OWNERS)?)
                .try_into()
                .map_err(typed)?,
            workloads: Map::HashMap(get(abi::maps::WORKLOADS)?)
                .try_into()
                .map_err(typed)?,
            slots: Map::Array(slots).try_into().map_err(typed)?,
            details: Map::Array(details).try_into().map_err(typed)?,
            tcp: Map::Array(tcp).try_into().map_err(typed)?,
            read_slots,
            read_details,
            read_tcp,
        })
    }
}

impl Pinned {
    /// The number of the map that every program of ours counts into.
    ///
    /// # Errors
    /// The kernel's.
    pub fn slots_map(&self) -> io::Result<u32> {
        let info = self.slots.map().info().map_err(maps::broken)?;
        Ok(info.id())
    }
}

fn mapped<V: aya::Pod>(map: &MapData, name: &str, folder: &Path) -> Result<Mapped<V>, MapsError> {
    Mapped::new(maps::descriptor(map), entries(name)).map_err(|source| MapsError::Io {
        what: "map into memory",
        path: folder.join(name),
        source,
    })
}

fn entries(name: &str) -> u32 {
    let found = maps::ALL.iter().find(|(known, _)| *known == name);
    found.map_or(0, |(_, shape)| shape.entries)
}

impl Store for Pinned {
    fn slots(&self) -> u32 {
        slots(abi::SLOTS)
    }

    fn owner(&self, slot: u32) -> io::Result<Owner> {
        self.owners.get(&slot, 0).map_err(maps::broken)
    }

    fn set_owner(&mut self, slot: u32, owner: &Owner) -> io::Result<()> {
        checkpoint("set-owner");
        self.owners.set(slot, owner, 0).map_err(maps::broken)
    }

    fn counted(&self, slot: u32) -> Counted {
        let mut counted = Counted::default();
        for shard in 0..abi::SHARDS {
            if let Some(value) = self.read_slots.get(abi::slot_index(slot, shard)) {
                counted.add_slot(&value);
            }
        }
        for shard in 0..abi::DETAIL_SHARDS {
            if let Some(value) = self.read_details.get(abi::detail_index(slot, shard)) {
                counted.add_detail(&value);
            }
        }
        if let Some(tcp) = self.read_tcp.get(slot) {
            counted.totals.tcp = tcp;
        }
        counted
    }

    fn clear(&mut self, slot: u32) -> io::Result<()> {
        for shard in 0..abi::SHARDS {
            checkpoint("clear");
            let at = abi::slot_index(slot, shard);
            let cleared = self.slots.set(at, SlotValue::default(), 0);
            cleared.map_err(maps::broken)?;
        }
        for shard in 0..abi::DETAIL_SHARDS {
            let at = abi::detail_index(slot, shard);
            let cleared = self.details.set(at, DetailValue::default(), 0);
            cleared.map_err(maps::broken)?;
        }
        let cleared = self.tcp.set(slot, TcpValue::default(), 0);
        cleared.map_err(maps::broken)
    }

    fn workloads(&self) -> io::Result<Vec<(WorkloadKey, Workload)>> {
        self.workloads
            .iter()
            .map(|entry| entry.map_err(maps::broken))
            .collect()
    }

    fn workload(&self, key: &WorkloadKey) -> io::Result<Option<Workload>> {
        match self.workloads.get(key, 0) {
            Ok(found) => Ok(Some(found)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(maps::broken(error)),
        }
    }

    fn set_workload(&mut self, key: &WorkloadKey, workload: &Workload) -> io::Result<()> {
        checkpoint("set-workload");
        let set = self.workloads.insert(key, workload, 0);
        set.map_err(maps::broken)
    }
}
