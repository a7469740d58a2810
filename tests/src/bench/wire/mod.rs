//! What counting costs on the way through the host: the processor's time for a packet, with the
//! programs at a container's interface and without, in turn.
//!
//! A macvlan on a node's uplink, as the plugin makes it, and a peer beyond a bridge. The sender is
//! bound to one processor and its whole way to the receiver's socket runs there; what the kernel
//! puts off to its own threads (`ksoftirqd`) is counted in.

mod load;
mod report;

use std::os::fd::{AsFd as _, OwnedFd};

use berth_ebpf_common::constants::LEVEL_DEFAULT;
use nix::net::if_::if_nametoindex;
use traffic_agent::kernel::bpf::{self, Hook, Order};
use traffic_agent::kernel::load::{Constants, Maps, Programs, Way};

use self::load::Load;
pub use self::report::Report;
use crate::lan::{Lan, LanOptions, UPLINK};
use crate::netns::Netns;

/// The container's address, and the peer's.
const ADDRESSES: [&str; 2] = ["10.20.1.10", "10.20.1.20"];
/// The container's interface.
const ETH: &str = "eth0";

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// 64-byte frames in one round.
    pub datagrams: u32,
    /// Megabytes of TCP in one round.
    pub megabytes: u32,
    /// How often each has its turn with and without.
    pub rounds: u32,
}

/// One load, with nanoseconds a packet, round by round.
#[derive(Debug)]
struct Measured {
    load: Load,
    without: Vec<f64>,
    with: Vec<f64>,
}

/// Measures all loads.
///
/// # Panics
/// Without the privilege to make namespaces and to load programs (run as root).
pub fn run(plan: Plan) -> Report {
    let lan = Lan::new(&LanOptions::default());
    let (node, peer) = (lan.node("n1"), lan.node("peer"));
    let container = node.container("web");
    let path = container.path().to_str().expect("a path in UTF-8");
    let make = ["link", "add", "link", UPLINK, "name", ETH, "netns", path];
    let kind = ["type", "macvlan", "mode", "bridge"];
    node.netns().ip(&[&make[..], &kind].concat());
    let [inside, outside] = ADDRESSES;
    for (netns, name, address) in [(&container, ETH, inside), (peer.netns(), UPLINK, outside)] {
        netns.ip(&["link", "set", name, "up"]);
        netns.ip(&["address", "add", &format!("{address}/24"), "dev", name]);
    }
    let answers = container.ping(outside.parse().expect("an address"));
    assert!(answers, "the peer answers");

    let constants = Constants {
        level: LEVEL_DEFAULT,
        ..Constants::default()
    };
    let mut programs = Programs::load(&constants, Maps::Own).expect("load the programs");
    let mut measured: Vec<Measured> = Load::ALL.map(Measured::none).into();
    // Once for nothing: caches, neighbours and windows are to be as later.
    for round in 0..=plan.rounds {
        for one in &mut measured {
            // Everyone is first equally often.
            for turn in [round % 2 == 0, round % 2 == 1] {
                let links = turn.then(|| attach(&mut programs, &container));
                let spent = one.load.packet(&container, peer.netns(), plan);
                drop(links);
                if round > 0 {
                    if turn {
                        &mut one.with
                    } else {
                        &mut one.without
                    }
                    .push(spent);
                }
            }
        }
    }
    Report::new(plan, &measured)
}

/// Attaches both programs as the agent does; they are gone with what this returns.
fn attach(programs: &mut Programs, container: &Netns) -> [OwnedFd; 2] {
    [(Way::Receive, Hook::Ingress), (Way::Transmit, Hook::Egress)].map(|(way, hook)| {
        let program = programs.descriptor(way).expect("the program");
        container.run(|| {
            let ifindex = if_nametoindex(ETH).expect("the interface");
            let link = bpf::attach(program.as_fd(), ifindex, hook, Order::Head);
            link.expect("attach a program")
        })
    })
}

impl Measured {
    const fn none(load: Load) -> Self {
        Self {
            load,
            without: Vec::new(),
            with: Vec::new(),
        }
    }
}
