//! A kernel in memory that may stop at any operation.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_ebpf_common::{Count, Owner, Workload, WorkloadKey};

use crate::kernel::device::Device;
use crate::kernel::hooks::{AttachError, Attached, Hooks, Look, Target};
use crate::kernel::load::Way;
use crate::kernel::pins::{Pin, PinName};
use crate::ledger::{Counted, Memory, Place, Store, add_count};
use crate::model::{DeviceCounts, DeviceDirection, Mode};
use crate::scope::Scopes;

#[derive(Debug, Default)]
pub(super) struct World {
    memory: Memory,
    /// What the devices counted that exist, by name.
    pub(super) devices: BTreeMap<String, u64>,
    /// The pins, and the device each is attached to.
    pub(super) pins: BTreeMap<PinName, String>,
    /// Links that count once more, receive and transmit.
    pub(super) duplicates: [u64; 2],
    /// Operations until the agent is dead.
    pub(super) budget: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Kernel(Arc<Mutex<World>>);

impl Kernel {
    /// With 11 slots, and nothing attached to. Of three workloads one has an entry of its own.
    pub(super) fn new() -> Self {
        let memory = Memory::new(12, 2);
        let budget = u32::MAX;
        Self(Arc::new(Mutex::new(World {
            memory,
            budget,
            ..World::default()
        })))
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operation(&self) -> io::Result<MutexGuard<'_, World>> {
        let mut world = self.world();
        match world.budget.checked_sub(1) {
            Some(left) => world.budget = left,
            None => return Err(io::Error::other("killed")),
        }
        Ok(world)
    }

    /// A packet each way, of 10 bytes.
    pub(super) fn traffic(&self, name: &str) {
        let mut world = self.world();
        let Some(counted) = world.devices.get_mut(name) else {
            return;
        };
        *counted += 1;
        let pins: Vec<PinName> = world
            .pins
            .iter()
            .filter(|(_, device)| *device == name)
            .map(|(pin, _)| *pin)
            .collect();
        for pin in pins {
            let counted = world.memory.counters.entry(pin.slot).or_default();
            let way = match pin.way {
                Way::Receive => &mut counted.totals.receive,
                Way::Transmit => &mut counted.totals.transmit,
            };
            add_count(&mut way[0], packets(1));
        }
    }
}

const fn packets(packets: u64) -> Count {
    Count {
        bytes: packets * 10,
        packets,
    }
}

impl Store for Kernel {
    fn slots(&self) -> u32 {
        self.world().memory.slots()
    }
    fn owner(&self, slot: u32) -> io::Result<Owner> {
        self.world().memory.owner(slot)
    }
    fn set_owner(&mut self, slot: u32, owner: &Owner) -> io::Result<()> {
        self.operation()?.memory.set_owner(slot, owner)
    }
    fn counted(&self, slot: u32) -> Counted {
        self.world().memory.counted(slot)
    }
    fn clear(&mut self, slot: u32) -> io::Result<()> {
        self.operation()?.memory.clear(slot)
    }
    fn workloads(&self) -> io::Result<Vec<(WorkloadKey, Workload)>> {
        self.world().memory.workloads()
    }
    fn workload(&self, key: &WorkloadKey) -> io::Result<Option<Workload>> {
        self.world().memory.workload(key)
    }
    fn set_workload(&mut self, key: &WorkloadKey, workload: &Workload) -> io::Result<()> {
        self.operation()?.memory.set_workload(key, workload)
    }
}

fn dead(source: io::Error) -> AttachError {
    AttachError::Io {
        what: "do anything",
        source,
    }
}

pub(super) fn name_of(place: &Place) -> String {
    match place {
        Place::Node { name } => name.to_string(),
        Place::Container { .. } => String::new(),
    }
}

impl Hooks for Kernel {
    fn pins(&mut self) -> io::Result<Vec<Pin>> {
        let world = self.world();
        let all = world.pins.iter().map(|(name, device)| Pin {
            name: *name,
            link: 1,
            program: 1,
            ifindex: u32::from(world.devices.contains_key(device)),
        });
        Ok(all.collect())
    }
    fn fingerprint(&self, target: &Target) -> u64 {
        u64::from(target.slot) + 1
    }
    fn keeps(&self, mode: [Mode; 2]) -> bool {
        mode == [Mode::Tcx; 2]
    }
    fn attach(&mut self, target: &Target) -> Result<Attached, AttachError> {
        for way in Way::BOTH {
            let mut world = self.operation().map_err(dead)?;
            let name = name_of(&target.place);
            if !world.devices.contains_key(&name) {
                return Err(AttachError::Gone);
            }
            world.pins.insert(target.pin(way), name);
        }
        let duplicates = std::mem::take(&mut self.world().duplicates);
        let mode = [Mode::Tcx; 2];
        Ok(Attached { mode, duplicates })
    }
    fn look(&mut self, place: &Place) -> Result<Device, AttachError> {
        let world = self.world();
        let counted = world
            .devices
            .get(&name_of(place))
            .ok_or(AttachError::Gone)?;
        let way = DeviceDirection {
            count: packets(*counted),
            ..DeviceDirection::default()
        };
        Ok(Device {
            ifindex: 1,
            name: name_of(place),
            mac: Vec::new(),
            counts: DeviceCounts {
                receive: way,
                transmit: way,
            },
        })
    }
    fn examine(&mut self, place: &Place) -> Result<Look, AttachError> {
        let device = self.look(place)?;
        Ok(Look {
            device,
            filters: [false; 2],
            links: self.world().duplicates.map(|more| more + 1),
        })
    }
    fn detach(&mut self, target: &Target) -> Result<(), AttachError> {
        for way in Way::BOTH {
            let mut world = self.operation().map_err(dead)?;
            world.pins.remove(&target.pin(way));
        }
        Ok(())
    }
    fn settle(&mut self) {}
    fn tell(&mut self, _scopes: &Scopes) -> io::Result<()> {
        Ok(())
    }
    fn remove(&mut self, pin: PinName) -> io::Result<()> {
        self.operation()?.pins.remove(&pin);
        Ok(())
    }
}
