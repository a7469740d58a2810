//! A container that is counted, and the other end, whose device tells what was on the wire.
//!
//! ```text
//!   container ── its link ── namespace "n1" ── uplink0 ═ port1 ─ br0 ─ port2 ═ uplink0 ── "peer"
//!   offloads as a test wants them ───────────────────────┘              └── none at all
//! ```

use std::cell::Cell;
use std::fs;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use aya::maps::{Array, MapData};
use berth_ebpf_common as abi;
use berth_ebpf_common::{Count, Direction, SlotValue, constants};
use e2e::debian;
use e2e::lan::{Lan, LanOptions, Node, UPLINK};
use e2e::netns::Netns;
use e2e::ovs::{BRIDGE, Ovs};
use e2e::process;
use e2e::wait::{becomes_true, until};
use traffic_agent::kernel::bpf::Hook;
use traffic_agent::kernel::load::{Constants, Maps, Programs, Way};

use super::hooks;

/// How long anything may take on a machine that is busy, or whose processor is emulated.
const PATIENCE: Duration = Duration::from_mins(4);

/// The slot that the container is counted into.
const SLOT: u32 = 3;

/// What the container's interface is called.
pub(crate) const ETH: &str = "eth0";

/// What connects a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Its own interface, on the node's uplink.
    Macvlan,
    /// Its own interface, whose other end is a port of the LAN.
    Veth,
    /// The node's end of its interface, a port of Open vSwitch.
    Ovs,
}

/// What a device does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offloads {
    /// `tso` and `gso`: the device, or the kernel at the last moment, segments TCP.
    pub(crate) tcp: &'static str,
    /// `tx-udp-segmentation`.
    pub(crate) udp: &'static str,
    /// `gro`, for TCP and for UDP that is forwarded.
    pub(crate) merge: &'static str,
}

impl Offloads {
    pub(crate) const ALL: Self = Self {
        tcp: "on",
        udp: "on",
        merge: "on",
    };
    pub(crate) const NONE: Self = Self {
        tcp: "off",
        udp: "off",
        merge: "off",
    };

    /// Every combination.
    pub(crate) fn combinations() -> Vec<Self> {
        let ways = ["off", "on"];
        let all = ways.into_iter().flat_map(|tcp| {
            ways.into_iter()
                .flat_map(move |udp| ways.map(|merge| Self { tcp, udp, merge }))
        });
        all.collect()
    }

    pub(crate) fn set(&self, netns: &Netns, device: &str) {
        let Self { tcp, udp, merge } = self;
        let mut command = netns.command(debian::require("ethtool", "ethtool"));
        command.args(["-K", device, "tso", tcp, "gso", tcp, "gro", merge]);
        command.args(["tx-udp-segmentation", udp, "rx-udp-gro-forwarding", merge]);
        process::output(&mut command);
    }
}

/// Bytes and packets that the container receives and sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Both {
    pub(crate) receive: (u64, u64),
    pub(crate) transmit: (u64, u64),
}

impl Both {
    fn since(self, before: Self) -> Self {
        let less = |now: (u64, u64), then: (u64, u64)| (now.0 - then.0, now.1 - then.1);
        Self {
            receive: less(self.receive, before.receive),
            transmit: less(self.transmit, before.transmit),
        }
    }

    /// As the other end sees it.
    fn mirrored(self) -> Self {
        Self {
            receive: self.transmit,
            transmit: self.receive,
        }
    }
}

/// A container and its peer. Everything is gone on drop.
#[derive(Debug)]
pub(crate) struct Ground {
    // In the order in which they have to go.
    links: Vec<OwnedFd>,
    programs: Programs,
    _ovs: Option<Ovs>,
    link: Link,
    beginning: Cell<[Both; 4]>,
    pub(crate) container: Netns,
    pub(crate) node: Node,
    pub(crate) peer: Node,
    pub(crate) lan: Lan,
}

impl Ground {
    /// With the container's addresses and the peer's set, and the programs attached at the head.
    pub(crate) fn new(link: Link) -> Self {
        let lan = Lan::new(&LanOptions::default());
        let (node, peer) = (lan.node("n1"), lan.node("peer"));
        silence(lan.netns(), "1");
        silence(node.netns(), "1");
        silence(peer.netns(), "0");
        let container = node.container("web");
        silence(&container, "0");
        let ovs = (link == Link::Ovs).then(|| Ovs::start(&node));
        connect(link, &lan, &node, &container, ovs.as_ref());
        address(&container, ETH, 10);
        address(peer.netns(), UPLINK, 20);
        for (netns, name) in [(peer.netns(), UPLINK), (lan.netns(), "port2")] {
            Offloads::NONE.set(netns, name);
            // A tag is in the packet, where the device counts it.
            let mut command = netns.command(debian::require("ethtool", "ethtool"));
            let outer = ["tx-vlan-stag-hw-insert", "off"];
            process::output(command.args(["-K", name, "txvlan", "off"]).args(outer));
        }
        if ovs.is_some() {
            limit(&container, ETH, 10);
            limit(peer.netns(), UPLINK, 20);
        }

        let told = Constants {
            slot: SLOT,
            level: constants::LEVEL_DETAIL,
            node_end: u32::from(link == Link::Ovs),
            tcp: 1,
            ..Constants::default()
        };
        let programs = Programs::load(&told, Maps::Own).expect("load the programs");
        let mut ground = Self {
            links: Vec::new(),
            programs,
            _ovs: ovs,
            link,
            beginning: Cell::default(),
            container,
            node,
            peer,
            lan,
        };
        ground.links = ground.attach();
        ground.beginning.set(ground.begin());
        ground
    }

    fn attach(&mut self) -> Vec<OwnedFd> {
        let both = Way::BOTH.map(|way| (way, self.hook(way)));
        let Self {
            programs,
            container,
            node,
            link,
            ..
        } = self;
        let (netns, device) = place(*link, container, node);
        netns.run(|| {
            let attached = both.map(|(way, hook)| {
                let program = programs.classifier(way).expect("the program");
                hooks::attach(program, device, hook)
            });
            attached.into_iter().flatten().collect()
        })
    }

    /// Where the programs are.
    pub(crate) fn place(&self) -> (&Netns, &'static str) {
        place(self.link, &self.container, &self.node)
    }

    pub(crate) fn hook(&self, way: Way) -> Hook {
        if (way == Way::Receive) == (self.link == Link::Ovs) {
            Hook::Egress
        } else {
            Hook::Ingress
        }
    }

    /// Sets the offloads of everything on the container's side.
    pub(crate) fn offload(&self, offloads: Offloads) {
        offloads.set(self.lan.netns(), "port1");
        match self.link {
            Link::Macvlan => {
                offloads.set(self.node.netns(), UPLINK);
                let mut command = self
                    .container
                    .command(debian::require("ethtool", "ethtool"));
                // The rest of it is its parent's.
                command.args(["-K", ETH, "gso", offloads.tcp, "gro", offloads.merge]);
                process::output(&mut command);
            }
            Link::Veth => offloads.set(&self.container, ETH),
            Link::Ovs => {
                // It drops what it has no number for: datagrams to be segmented.
                let offloads = Offloads {
                    udp: "off",
                    ..offloads
                };
                let node = self.node.netns();
                for (netns, name) in [(node, UPLINK), (node, PORT), (&self.container, ETH)] {
                    offloads.set(netns, name);
                    let mut command = netns.command(debian::require("ethtool", "ethtool"));
                    process::output(command.args(["-K", name, "rx-udp-gro-forwarding", "off"]));
                }
            }
        }
    }

    /// What the programs have counted.
    pub(crate) fn counted(&self) -> Both {
        let both = self.sums(|way| way.scopes.to_vec());
        assert_eq!(self.estimated(), 0, "every header could be read");
        both
    }

    /// By how much that is more than the kernel's own.
    fn surplus(&self) -> Both {
        self.sums(|way| vec![way.surplus])
    }

    fn estimated(&self) -> u64 {
        self.shards()
            .map(|shard| shard.receive.estimated + shard.transmit.estimated)
            .sum()
    }

    fn shards(&self) -> impl Iterator<Item = SlotValue> + '_ {
        let slots = self.programs.map(abi::maps::SLOTS).expect("the map");
        let slots: Array<&MapData, SlotValue> = Array::try_from(slots).expect("an array");
        let shards = 0..abi::SHARDS;
        shards.map(move |shard| {
            slots
                .get(&abi::slot_index(SLOT, shard), 0)
                .expect("a shard")
        })
    }

    fn sums(&self, counts: impl Fn(&Direction) -> Vec<Count>) -> Both {
        let mut both = Both::default();
        for SlotValue { receive, transmit } in self.shards() {
            for (sum, way) in [(&mut both.receive, receive), (&mut both.transmit, transmit)] {
                for Count { bytes, packets } in counts(&way) {
                    *sum = (sum.0 + bytes, sum.1 + packets);
                }
            }
        }
        both
    }

    /// What the other end's device has counted, from the container's side.
    fn wire(&self) -> Both {
        device(self.peer.netns(), UPLINK).mirrored()
    }

    /// What the device has counted that the programs are at, from the container's side.
    fn own_device(&self) -> Both {
        let (netns, name) = self.place();
        let both = device(netns, name);
        if self.link == Link::Ovs {
            both.mirrored()
        } else {
            both
        }
    }

    /// How many packets the container's own device has sent: those of the kernel, before they are
    /// segmented.
    pub(crate) fn own_packets(&self) -> u64 {
        self.own_device().transmit.1
    }

    /// Where everything begins, once nothing is on its way for a while.
    fn begin(&self) -> [Both; 4] {
        let mut last = self.look();
        let mut same = 0;
        until(PATIENCE, "nothing is on its way", || {
            let now = self.look();
            same = if now == last { same + 1 } else { 0 };
            last = now;
            same > 30
        });
        last
    }

    /// What was counted, was on the wire, is the surplus, and what the own device has.
    fn look(&self) -> [Both; 4] {
        [
            self.counted(),
            self.wire(),
            self.surplus(),
            self.own_device(),
        ]
    }

    /// Runs `traffic`, and compares what was counted from the beginning with what was on the wire,
    /// as soon as nothing is on its way any more.
    #[track_caller]
    pub(crate) fn is_exact(&self, case: &str, traffic: impl FnOnce(&Self)) {
        let before = self.look()[0];
        traffic(self);
        // A packet whose tag is in it is untagged behind the counter of its own device.
        let tags = case.contains("tags");
        let mut seen = [Both::default(); 4];
        let equal = becomes_true(Duration::from_secs(30), || {
            let now = self.look();
            for ((seen, now), before) in seen.iter_mut().zip(now).zip(self.beginning.get()) {
                *seen = now.since(before);
            }
            let [counted, wire, surplus, device] = seen;
            counted == wire && (tags || self.is_of_device(counted.since(surplus), device))
        });
        let [counted, wire, surplus, device] = seen;
        assert!(
            equal,
            "{case}: counted {counted:?}, the wire had {wire:?}, the device {device:?} and {surplus:?}"
        );
        let own = self.counted().since(before);
        assert!(own.receive.1 > 0 && own.transmit.1 > 0, "{case}: {own:?}");
        if tags {
            self.beginning.set(self.begin());
        }
    }

    /// Whether it is what the device has counted, where that can be said: a veth counts no Ethernet
    /// header where its other end merges, and segments where it does not segment itself.
    fn is_of_device(&self, counted: Both, device: Both) -> bool {
        self.link != Link::Macvlan || counted == device
    }
}

/// The node's end of a container's pair.
const PORT: &str = "bv0";

/// Of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The container's.
    pub(crate) fn own(self) -> IpAddr {
        self.address(10)
    }

    /// The other end's.
    pub(crate) fn peer(self) -> IpAddr {
        self.address(20)
    }

    fn address(self, last: u8) -> IpAddr {
        match self {
            Self::V4 => IpAddr::from([10, 20, 1, last]),
            Self::V6 => IpAddr::from([0xfd20, 0, 0, 0, 0, 0, 0, u16::from(last)]),
        }
    }
}

/// Where the programs of a container go.
fn place<'a>(link: Link, container: &'a Netns, node: &'a Node) -> (&'a Netns, &'static str) {
    match link {
        Link::Macvlan | Link::Veth => (container, ETH),
        Link::Ovs => (node.netns(), PORT),
    }
}

/// Makes the container's interface.
fn connect(link: Link, lan: &Lan, node: &Node, container: &Netns, ovs: Option<&Ovs>) {
    let path = container.path().to_str().expect("a path in UTF-8");
    match link {
        Link::Macvlan => {
            let make = ["link", "add", "link", UPLINK, "name", ETH, "netns", path];
            node.netns()
                .ip(&[&make[..], &["type", "macvlan", "mode", "bridge"]].concat());
        }
        Link::Veth => {
            lan.netns().ip(&["link", "del", "port1"]);
            let make = ["link", "add", "port1", "type", "veth", "peer", "name", ETH];
            lan.netns().ip(&[&make[..], &["netns", path]].concat());
            lan.netns()
                .ip(&["link", "set", "port1", "master", "br0", "up"]);
        }
        Link::Ovs => {
            let make = ["link", "add", PORT, "type", "veth", "peer", "name", ETH];
            node.netns().ip(&[&make[..], &["netns", path]].concat());
            node.netns().ip(&["link", "set", PORT, "up"]);
            ovs.expect("a switch").vsctl(&["add-port", BRIDGE, PORT]);
        }
    }
}

/// Gives a device its addresses. It asks for no router, and hears every group: an interface that
/// leaves out a group's packet has not received it.
fn address(netns: &Netns, name: &str, last: u8) {
    netns.run(|| {
        let file = format!("/proc/sys/net/ipv6/conf/{name}/accept_ra");
        fs::write(file, "0").expect("write a setting");
    });
    netns.ip(&[
        "link",
        "set",
        name,
        "addrgenmode",
        "none",
        "allmulticast",
        "on",
        "up",
    ]);
    netns.ip(&["address", "add", &format!("10.20.1.{last}/24"), "dev", name]);
    let six = format!("{}/64", Family::V6.address(last));
    netns.ip(&["address", "add", &six, "dev", name, "nodad"]);
}

/// Lets TCP send segments of the size that Open vSwitch cuts it into, which knows of no options and
/// takes the Ethernet header for a part of the MTU: others than were sent would be on the wire.
fn limit(netns: &Netns, name: &str, last: u8) {
    // The peer has another address as well, which the container knows no way to.
    let four = format!("10.20.1.{last}");
    let route = [
        "route",
        "replace",
        "10.20.1.0/24",
        "dev",
        name,
        "src",
        &four,
    ];
    netns.ip(&[&route[..], &["advmss", "1458"]].concat());
    // Before the kernel's own, which stays.
    let route = [
        "-6",
        "route",
        "add",
        "fd20::/64",
        "dev",
        name,
        "metric",
        "1",
    ];
    netns.ip(&[&route[..], &["advmss", "1438"]].concat());
}

/// Leaves out whatever would speak up by itself.
fn silence(netns: &Netns, without_ipv6: &str) {
    netns.run(|| {
        for which in ["all", "default"] {
            for (name, value) in [("disable_ipv6", without_ipv6), ("accept_ra", "0")] {
                let file = format!("/proc/sys/net/ipv6/conf/{which}/{name}");
                fs::write(file, value).expect("write a setting");
            }
        }
    });
}

/// What a device has counted.
fn device(netns: &Netns, name: &str) -> Both {
    let shown = netns.ip_json(&["-s", "link", "show", name]);
    let number = |way: &str, field: &str| {
        let pointer = format!("/0/stats64/{way}/{field}");
        shown
            .pointer(&pointer)
            .and_then(serde_json::Value::as_u64)
            .expect("a counter")
    };
    let way = |way: &str| (number(way, "bytes"), number(way, "packets"));
    Both {
        receive: way("rx"),
        transmit: way("tx"),
    }
}
