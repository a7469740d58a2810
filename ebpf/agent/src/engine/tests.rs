//! The whole of it against a kernel in memory that may stop at any operation: every packet is
//! counted once, and no sum goes back.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use berth_ebpf_common::{Count, Owner, Workload, WorkloadKey};
use berth_types::Incarnation;
use proptest::prelude::*;

use super::*;
use crate::kernel::device::Device;
use crate::kernel::hooks::{AttachError, Look as HookLook, Target};
use crate::kernel::load::Way;
use crate::kernel::pins::{Pin, PinName};
use crate::ledger::{Counted, Family, Memory, Place, add_count};
use crate::model::{DeviceDirection, Driver, Pod, WorkloadName};
use crate::observe::Wanted;
use crate::scope::Scopes;

/// How many interfaces there may be; fewer slots than that.
const INTERFACES: u8 = 6;

#[derive(Debug, Default)]
struct World {
    memory: Memory,
    /// What the devices counted that exist, by name.
    devices: BTreeMap<String, u64>,
    /// The pins, and the device each is attached to.
    pins: BTreeMap<PinName, String>,
    /// Operations until the agent is dead.
    budget: u32,
}

#[derive(Clone, Debug)]
struct Kernel(Arc<Mutex<World>>);

impl Kernel {
    fn world(&self) -> MutexGuard<'_, World> {
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
    fn traffic(&self, name: &str) {
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

fn name_of(place: &Place) -> String {
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
    fn attach(&mut self, target: &Target) -> Result<[Mode; 2], AttachError> {
        for way in Way::BOTH {
            let mut world = self.operation().map_err(dead)?;
            let name = name_of(&target.place);
            if !world.devices.contains_key(&name) {
                return Err(AttachError::Gone);
            }
            world.pins.insert(target.pin(way), name);
        }
        Ok([Mode::Tcx; 2])
    }
    fn look(&mut self, place: &Place) -> Result<HookLook, AttachError> {
        let world = self.world();
        let counted = world
            .devices
            .get(&name_of(place))
            .ok_or(AttachError::Gone)?;
        let way = DeviceDirection {
            count: packets(*counted),
            ..DeviceDirection::default()
        };
        Ok(HookLook {
            device: Device {
                ifindex: 1,
                name: name_of(place),
                mac: Vec::new(),
                counts: DeviceCounts {
                    receive: way,
                    transmit: way,
                },
            },
            filters: [false; 2],
        })
    }
    fn detach(&mut self, target: &Target) -> Result<(), AttachError> {
        for way in Way::BOTH {
            let mut world = self.operation().map_err(dead)?;
            world.pins.remove(&target.pin(way));
        }
        Ok(())
    }
    fn tell(&mut self, _scopes: &Scopes) -> io::Result<()> {
        Ok(())
    }
    fn remove(&mut self, pin: PinName) -> io::Result<()> {
        self.operation()?.pins.remove(&pin);
        Ok(())
    }
}

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// A pod is there.
    Come(u8),
    /// It sends and hears a packet.
    Packet(u8),
    /// It is gone.
    Go(u8),
    /// Somebody removes a link of it.
    Unpin(u8),
    /// The agent works, and is killed after so many operations.
    Work(u32),
}

fn event() -> impl Strategy<Value = Event> {
    let which = 0..INTERFACES;
    prop_oneof![
        1 => which.clone().prop_map(Event::Come),
        4 => which.clone().prop_map(Event::Packet),
        1 => which.clone().prop_map(Event::Go),
        1 => which.prop_map(Event::Unpin),
        3 => (0_u32..24).prop_map(Event::Work),
    ]
}

fn wanted(which: u8, life: u64) -> Wanted {
    let mut bytes = [which; 16];
    bytes[8..].copy_from_slice(&life.to_be_bytes());
    let name = format!("p{which}x{life}");
    let identity = Identity {
        pod: Pod::default(),
        container: name.parse().unwrap(),
        ifname: "eth0".parse().unwrap(),
        incarnation: Incarnation::from_random(bytes),
        network: "pods".parse().unwrap(),
        // Two share a workload.
        workload: WorkloadName {
            name: format!("w{}", which / 2),
            ..WorkloadName::default()
        },
        driver: Driver::Ovs,
        family: Family::Ipv4,
        place: Place::Node {
            name: name.parse().unwrap(),
        },
        mode: [Mode::Off; 2],
        program: 0,
        accounted: [(0, 0); 2],
        pending: true,
        former: None,
    };
    Wanted {
        identity,
        addresses: Vec::new(),
    }
}

/// Everything that is counted, receive.
fn counted(kernel: &Kernel) -> u64 {
    let ledger = Ledger::open(kernel.clone(), Duration::ZERO).unwrap();
    let ended = ledger.workloads().unwrap().into_values();
    let ended: u64 = ended
        .map(|entry| crate::ledger::sum(&entry.totals.receive).packets)
        .sum();
    let live = ledger
        .slots()
        .keys()
        .filter(|slot| !ledger.is_folded(**slot).unwrap());
    let live: u64 = live
        .map(|slot| crate::ledger::sum(&ledger.totals(*slot).receive).packets)
        .sum();
    let together = ledger.store().counted(0).totals;
    ended + live + crate::ledger::sum(&together.receive).packets
}

/// As an agent begins.
fn begun(kernel: &Kernel, uptime: Duration) -> io::Result<Ledger<Kernel>> {
    let mut ledger = Ledger::open(kernel.clone(), uptime)?;
    if ledger.is_new()? {
        ledger.reserve(Timestamp::UNIX_EPOCH)?;
        ledger.begin(Timestamp::UNIX_EPOCH)?;
    }
    Ok(ledger)
}

fn work(kernel: &Kernel, found: &Found, uptime: &mut Duration, budget: u32) {
    kernel.world().budget = budget;
    let Ok(ledger) = begun(kernel, *uptime) else {
        return;
    };
    let hold = Duration::from_secs(2);
    let mut engine = Engine::new(Shared::new(ledger), kernel.clone(), hold, Vec::new());
    for _ in 0..3 {
        let now = Moment {
            time: Timestamp::UNIX_EPOCH,
            uptime: *uptime,
        };
        drop(engine.pass(found, now, &|| false));
        *uptime += Duration::from_secs(3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn case_29_whatever_happens_and_wherever_it_is_killed_every_packet_is_counted_once(
        events in proptest::collection::vec(event(), 1..60)
    ) {
        // Of three workloads one has an entry of its own.
        let world = World { memory: Memory::new(12, 2), ..World::default() };
        let kernel = Kernel(Arc::new(Mutex::new(world)));
        let (mut found, mut uptime, mut life) = (Found::default(), Duration::ZERO, 0);
        let mut present: BTreeMap<u8, Life> = BTreeMap::new();
        let (mut sent, mut before) = (0, 0);
        for event in events {
            match event {
                Event::Come(which) if !present.contains_key(&which) => {
                    life += 1;
                    let new = wanted(which, life);
                    let name = name_of(&new.identity.place);
                    kernel.world().devices.insert(name, 0);
                    present.insert(which, new.identity.life());
                    found.wanted.insert(new.identity.life(), new);
                }
                Event::Packet(which) => if let Some(life) = present.get(&which) {
                    kernel.traffic(life.container.as_str());
                    sent += 1;
                },
                // What an agent never saw of it cannot be told by anybody.
                Event::Go(which) => if let Some(life) = present.remove(&which) {
                    work(&kernel, &found, &mut uptime, u32::MAX);
                    found.wanted.remove(&life);
                    kernel.world().devices.remove(life.container.as_str());
                },
                Event::Unpin(which) => if let Some(life) = present.get(&which) {
                    let mut world = kernel.world();
                    let name = life.container.as_str();
                    let pin = world.pins.iter().find(|(_, device)| *device == name);
                    if let Some(pin) = pin.map(|(pin, _)| *pin) {
                        world.pins.remove(&pin);
                    }
                },
                Event::Work(budget) => work(&kernel, &found, &mut uptime, budget),
                Event::Come(_) => {}
            }
            let now = counted(&kernel);
            prop_assert!(now >= before, "no sum goes back: {before} to {now}");
            prop_assert!(now <= sent, "nothing is counted twice: {now} of {sent}");
            before = now;
        }
        work(&kernel, &found, &mut uptime, u32::MAX);
        prop_assert_eq!(counted(&kernel), sent, "everything is counted");
        found.wanted.clear();
        kernel.world().devices.clear();
        for _ in 0..3 {
            work(&kernel, &found, &mut uptime, u32::MAX);
        }
        prop_assert_eq!(counted(&kernel), sent, "and stays so when all have ended");
        prop_assert!(kernel.world().pins.is_empty(), "no pin is left");
        let ledger = Ledger::open(kernel, uptime).unwrap();
        prop_assert!(ledger.slots().is_empty(), "no slot is left: {:?}", ledger.slots());
    }
}
