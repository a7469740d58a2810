//! Any sequence of events, and kills between any two changes of the kernel's maps.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::World;

#[derive(Clone, Copy, Debug)]
enum Event {
    Start(usize, usize),
    Stop(usize, usize),
    End(usize),
    Packets(usize, usize, u64),
    Runtime(bool),
    Pass(u64),
    /// A look that is cut short after so many changes; then another agent.
    Killed(u32),
}

const PODS: [&str; 2] = ["web-0", "db-0"];
const NAMES: [&str; 3] = ["app", "sidecar", "debug"];

fn event() -> impl Strategy<Value = Event> {
    let (pod, name) = (0..PODS.len(), 0..NAMES.len());
    prop_oneof![
        4 => (pod.clone(), name.clone()).prop_map(|(p, n)| Event::Start(p, n)),
        2 => (pod.clone(), name.clone()).prop_map(|(p, n)| Event::Stop(p, n)),
        1 => pod.clone().prop_map(Event::End),
        4 => (pod, name, 1..50_u64).prop_map(|(p, n, count)| Event::Packets(p, n, count)),
        1 => any::<bool>().prop_map(Event::Runtime),
        4 => (0..100_u64).prop_map(Event::Pass),
        3 => (0..8_u32).prop_map(Event::Killed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_packet_counts_once_and_for_its_container(events in prop::collection::vec(event(), 1..60)) {
        let mut world = World::new();
        let mut truth: BTreeMap<(String, String), u64> = BTreeMap::new();
        for event in events {
            match event {
                Event::Start(pod, name) => world.start(PODS[pod], NAMES[name]),
                Event::Stop(pod, name) => world.stop(PODS[pod], NAMES[name]),
                Event::End(pod) => world.end(PODS[pod]),
                Event::Runtime(up) => world.up = up,
                Event::Pass(seconds) => world.pass(seconds),
                Event::Killed(changes) => {
                    world.memory.0.borrow_mut().left = Some(changes);
                    world.pass(1);
                    world.restart();
                }
                Event::Packets(pod, name, count) => {
                    for _ in 0..count {
                        let slot = world.packet(PODS[pod], NAMES[name]);
                        if slot.is_some_and(|slot| slot >= 3) {
                            let uid = world.pods[PODS[pod]].uid.clone();
                            *truth.entry((uid, NAMES[name].to_owned())).or_default() += 1;
                        }
                    }
                }
            }
        }
        world.up = true;
        world.pass(1);
        world.pass(3);
        let shown = world.shown();
        for pod in world.pods.values() {
            for name in NAMES {
                let key = (pod.uid.clone(), name.to_owned());
                let (counted, wanted) = (shown.get(&key), truth.get(&key));
                prop_assert_eq!(counted.unwrap_or(&0), wanted.unwrap_or(&0), "{:?} in {:?}", key, shown);
            }
        }
        // Nothing is left of what is gone.
        for name in PODS {
            world.end(name);
        }
        world.pass(1);
        for _ in 0..3 {
            world.pass(130);
        }
        let inside = world.memory.0.borrow();
        prop_assert!(inside.links.is_empty() && inside.mapped.is_empty(), "{:?}", inside);
        prop_assert!(inside.owners.values().all(|owner| owner.state == 0));
    }
}
