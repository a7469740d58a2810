//! Whatever happens, and wherever the agent is killed: every packet is counted once, and no sum goes
//! back.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::kernel::{Kernel, name_of};
use super::{INTERFACES, wanted, work};
use crate::ledger::{Ledger, Life, Store as _};
use crate::observe::Found;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn case_29_whatever_happens_and_wherever_it_is_killed_every_packet_is_counted_once(
        events in proptest::collection::vec(event(), 1..60)
    ) {
        let kernel = Kernel::new();
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
