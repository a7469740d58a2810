//! The whole of it against a kernel in memory.

mod duplicates;
mod kernel;
mod order;
mod taken;
mod waiting;

use std::io;
use std::time::Duration;

use berth_types::Incarnation;

use self::kernel::{Kernel, name_of};
use super::*;
use crate::ledger::{Family, Place};
use crate::model::{Driver, Pod, WorkloadName};
use crate::observe::Wanted;

/// How many interfaces there may be; fewer than slots.
const INTERFACES: u8 = 6;

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
        written: Timestamp::UNIX_EPOCH,
    }
}

/// An agent that has a record of one interface, which is there.
struct One {
    kernel: Kernel,
    shared: Arc<Shared<Kernel>>,
    engine: Engine<Kernel, Kernel>,
    found: Found,
    /// The interface's.
    name: String,
}

impl One {
    fn new(wanted: Wanted) -> Self {
        let kernel = Kernel::new();
        let ledger = Ledger::open(kernel.clone(), Duration::ZERO).unwrap();
        let shared = Shared::new(ledger);
        let hold = Duration::from_secs(2);
        let engine = Engine::new(Arc::clone(&shared), kernel.clone(), hold, Vec::new());
        let mut found = Found::default();
        let name = name_of(&wanted.identity.place);
        found.wanted.insert(wanted.identity.life(), wanted);
        kernel.world().devices.insert(name.clone(), 0);
        Self {
            kernel,
            shared,
            engine,
            found,
            name,
        }
    }
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
