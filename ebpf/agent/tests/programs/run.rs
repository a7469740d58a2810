//! One packet through one program.

use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, MapData};
use aya::programs::{TestRun as _, TestRunOptions};
use berth_ebpf_common::constants::{LEVEL_DEFAULT, LEVEL_DETAIL};
use berth_ebpf_common::{
    ContainerValue, Count, DETAIL_SHARDS, DetailValue, Direction, SHARDS, SlotValue, TcpValue,
    Unattributed, container_index, detail_index, maps, slot_index,
};
use traffic_agent::kernel::load::{Constants, Maps, Programs, Way};

/// The verdict that gives the packet to the next program (`TC_ACT_UNSPEC`, -1).
pub(crate) const CONTINUE: u32 = u32::MAX;

/// The slot of every test.
pub(crate) const SLOT: u32 = 7;

/// What the kernel knows of a packet beside its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Bytes of payload in each segment.
    pub(crate) gso_size: u32,
    /// Segments.
    pub(crate) gso_segs: u32,
    /// Bytes on the wire, as the kernel measured them. 0: none, which is the length.
    pub(crate) wire_len: u32,
}

impl Meta {
    /// The `struct __sk_buff` that the kernel wants, of which it takes nothing else.
    pub(crate) fn context(self) -> [u8; 192] {
        let mut context = [0; 192];
        for (offset, value) in [
            (160, self.wire_len),
            (164, self.gso_segs),
            (176, self.gso_size),
        ] {
            context[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        }
        context
    }
}

/// A segmented packet whose segments the kernel has counted.
pub(crate) const fn gso(gso_size: u32, gso_segs: u32) -> Meta {
    Meta {
        gso_size,
        gso_segs,
        wire_len: 0,
    }
}

/// Whether the kernel runs a program on `frame` at all: not on less than an Ethernet header, nor on
/// less than an IP header behind one that says so.
pub(crate) fn runs(frame: &[u8]) -> bool {
    let least = match frame.get(12..14) {
        Some([0x08, 0x00]) => 34,
        Some([0x86, 0xdd]) => 54,
        _ => 14,
    };
    frame.len() >= least
}

/// The programs of one attachment, with maps of their own.
pub(crate) struct Bench {
    programs: Programs,
}

impl Bench {
    pub(crate) fn new(constants: &Constants) -> Self {
        let programs = Programs::load(constants, Maps::Own);
        Self {
            programs: programs.expect("load the programs (run as root)"),
        }
    }

    /// On the container's own interface, at the default level.
    pub(crate) fn inside() -> Self {
        Self::new(&constants(LEVEL_DEFAULT))
    }

    /// On the container's own interface, with everything told apart.
    pub(crate) fn detailed() -> Self {
        let constants = Constants {
            tcp: 1,
            ..constants(LEVEL_DETAIL)
        };
        Self::new(&constants)
    }

    /// On the node's end.
    pub(crate) fn outside() -> Self {
        let constants = Constants {
            node_end: 1,
            ..constants(LEVEL_DEFAULT)
        };
        Self::new(&constants)
    }

    /// The verdict on one packet.
    pub(crate) fn verdict(&mut self, way: Way, frame: &[u8], meta: Meta) -> u32 {
        let program = self.programs.classifier(way).expect("load a classifier");
        let context = meta.context();
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(&context),
            ..TestRunOptions::new()
        };
        let ran = program.test_run(options).expect("run a classifier");
        ran.return_value
    }

    /// What one packet adds.
    pub(crate) fn count(&mut self, way: Way, frame: &[u8], meta: Meta) -> Direction {
        let before = self.direction(way);
        assert_eq!(self.verdict(way, frame, meta), CONTINUE);
        difference(self.direction(way), before)
    }

    /// The one scope that a packet is counted in.
    pub(crate) fn scope(&mut self, way: Way, frame: &[u8]) -> usize {
        let added = self.count(way, frame, Meta::default());
        let hit: Vec<usize> = (0..4).filter(|&at| added.scopes[at].packets == 1).collect();
        assert_eq!(hit.len(), 1, "in one scope: {added:?}");
        hit[0]
    }

    /// The sum of a slot's shards.
    pub(crate) fn direction(&self, way: Way) -> Direction {
        let values: Array<&MapData, SlotValue> =
            Array::try_from(self.programs.map(maps::SLOTS).expect("slots")).expect("an array");
        let shards = (0..SHARDS).map(|shard| {
            let value = values.get(&slot_index(SLOT, shard), 0).expect("a shard");
            match way {
                Way::Receive => value.receive,
                Way::Transmit => value.transmit,
            }
        });
        shards.fold(Direction::default(), sum)
    }

    /// The sum of a slot's details.
    pub(crate) fn details(&self, way: Way) -> [[Count; 3]; 5] {
        let map = self.programs.map(maps::DETAILS).expect("details");
        let values: Array<&MapData, DetailValue> = Array::try_from(map).expect("an array");
        let mut total = [[Count::default(); 3]; 5];
        for shard in 0..DETAIL_SHARDS {
            let value = values.get(&detail_index(SLOT, shard), 0).expect("a shard");
            let value = match way {
                Way::Receive => value.receive,
                Way::Transmit => value.transmit,
            };
            for (total, value) in total.iter_mut().flatten().zip(value.iter().flatten()) {
                total.bytes += value.bytes;
                total.packets += value.packets;
            }
        }
        total
    }

    pub(crate) fn near4(&mut self, address: [u8; 4]) {
        let map = self.programs.map_mut(maps::NEAR4).expect("near4");
        let mut map: HashMap<_, [u8; 4], u32> = HashMap::try_from(map).expect("a hash");
        map.insert(address, 1, 0).expect("insert");
    }

    pub(crate) fn near6(&mut self, address: [u8; 16]) {
        let map = self.programs.map_mut(maps::NEAR6).expect("near6");
        let mut map: HashMap<_, [u8; 16], u32> = HashMap::try_from(map).expect("a hash");
        map.insert(address, 1, 0).expect("insert");
    }

    pub(crate) fn scope4(&mut self, address: [u8; 4], prefix: u32, scope: u32) {
        let map = self.programs.map_mut(maps::SCOPE4).expect("scope4");
        let mut map: LpmTrie<_, [u8; 4], u32> = LpmTrie::try_from(map).expect("a trie");
        let key = Key::new(prefix, address);
        map.insert(&key, scope, 0).expect("insert");
    }

    pub(crate) fn scope6(&mut self, address: [u8; 16], prefix: u32, scope: u32) {
        let map = self.programs.map_mut(maps::SCOPE6).expect("scope6");
        let mut map: LpmTrie<_, [u8; 16], u32> = LpmTrie::try_from(map).expect("a trie");
        let key = Key::new(prefix, address);
        map.insert(&key, scope, 0).expect("insert");
    }

    /// Runs a container's program, and gives its verdict.
    pub(crate) fn container_verdict(&mut self, way: Way, frame: &[u8], meta: Meta) -> u32 {
        let program = self.programs.container(way).expect("load the program");
        // The kernel takes no measured length for this type.
        let context = Meta {
            wire_len: 0,
            ..meta
        }
        .context();
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(&context),
            ..TestRunOptions::new()
        };
        let ran = program.test_run(options).expect("run the program");
        ran.return_value
    }

    /// What a container's slot holds.
    pub(crate) fn container(&self, slot: Unattributed) -> ContainerValue {
        let map = self.programs.map(maps::CONTAINERS).expect("containers");
        let values: Array<&MapData, ContainerValue> = Array::try_from(map).expect("an array");
        let slot = Unattributed::ALL.iter().position(|at| *at == slot);
        let slot = u32::try_from(slot.expect("one of all")).expect("few");
        (0..4).fold(ContainerValue::default(), |mut total, shard| {
            let value = values.get(&container_index(slot, shard), 0).expect("read");
            for (total, value) in [
                (&mut total.receive, value.receive),
                (&mut total.transmit, value.transmit),
                (&mut total.loopback_receive, value.loopback_receive),
                (&mut total.loopback_transmit, value.loopback_transmit),
            ] {
                total.bytes += value.bytes;
                total.packets += value.packets;
            }
            total
        })
    }

    /// Makes the kernel's verifier look at every program.
    pub(crate) fn load_all(&mut self) {
        for way in Way::BOTH {
            self.programs.classifier(way).expect("load a classifier");
            self.programs.container(way).expect("load a container's");
        }
        self.programs.connection().expect("load the connections'");
        let map = self.programs.map(maps::TCP).expect("tcp");
        let values: Array<&MapData, TcpValue> = Array::try_from(map).expect("an array");
        assert_eq!(values.get(&SLOT, 0).expect("read"), TcpValue::default());
    }
}

/// The constants of the container's own interface.
pub(crate) fn constants(level: u32) -> Constants {
    Constants {
        slot: SLOT,
        level,
        ..Constants::default()
    }
}

/// Of all scopes together.
pub(crate) fn total(direction: &Direction) -> Count {
    let start = Count::default();
    direction.scopes.iter().fold(start, |sum, count| Count {
        bytes: sum.bytes + count.bytes,
        packets: sum.packets + count.packets,
    })
}

fn sum(a: Direction, b: Direction) -> Direction {
    combine(a, b, u64::wrapping_add)
}

fn difference(a: Direction, b: Direction) -> Direction {
    combine(a, b, u64::wrapping_sub)
}

fn combine(a: Direction, b: Direction, with: impl Fn(u64, u64) -> u64) -> Direction {
    let count = |a: Count, b: Count| Count {
        bytes: with(a.bytes, b.bytes),
        packets: with(a.packets, b.packets),
    };
    let Direction {
        scopes,
        surplus,
        estimated,
        resets,
        reserved,
    } = a;
    Direction {
        scopes: std::array::from_fn(|at| count(scopes[at], b.scopes[at])),
        surplus: count(surplus, b.surplus),
        estimated: with(estimated, b.estimated),
        resets: with(resets, b.resets),
        reserved,
    }
}
