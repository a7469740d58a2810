//! The kinds of programs.

use std::path::Path;

use aya::maps::lpm_trie::Key;
use aya::maps::{HashMap, LpmTrie, Map, MapData, PerCpuHashMap, PerCpuValues, ProgramArray};
use aya::programs::{Program, SchedClassifier};
use aya::{Ebpf, EbpfLoader};
use berth_ebpf_common::constants::{self, LEVEL_DEFAULT, LEVEL_DETAIL, LEVEL_MIN};
use berth_ebpf_common::{Scope, maps};
use traffic_agent::kernel::load::{Constants, MAPS, Maps, Programs, Way};

/// What `ebpf/rebuild.sh` makes of `ebpf/programs/src/bench`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../../ebpf/bench.o");

/// How many programs may be called; the object's own number.
const TARGETS: u32 = 1000;

/// The sender of the packets, which is where the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// On this node: one look.
    Near,
    /// In the cluster: a look in vain, and one among the prefixes.
    Far,
}

/// The programs that are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of the object to measure against, by its name.
    Reference(&'static str),
    /// The agent's.
    Ours { level: u32, tcp: u32 },
}

/// One kind of program, and the packets it sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contender {
    /// What the table calls it.
    pub(super) name: &'static str,
    /// Which line of the table it is held against, and by how many times it may be more.
    pub(super) aim: Option<(&'static str, f64)>,
    kind: Kind,
    family: u8,
    peer: Peer,
}

/// What calls one of the programs.
pub(super) struct Driver {
    object: Ebpf,
    /// The kernel empties it when nobody has it open.
    _targets: ProgramArray<MapData>,
}

impl Driver {
    /// It.
    pub(super) fn program(&mut self) -> &SchedClassifier {
        classifier(&mut self.object, "drive")
    }
}

/// The name of the line that all are above.
pub(super) const EMPTY: &str = "a program that does nothing";
const ARRAY: &str = "one increment in an array";
const NEAR4: &str = "IPv4, this node: the map operations";
const FAR4: &str = "IPv4, cluster: the map operations";
const NEAR6: &str = "IPv6, this node: the map operations";
const FAR6: &str = "IPv6, cluster: the map operations";

impl Contender {
    /// All, in the table's order.
    pub(super) fn all() -> Vec<Self> {
        let ours = |level, tcp| Kind::Ours { level, tcp };
        let default = ours(LEVEL_DEFAULT, 0);
        let four = Kind::Reference("operations4");
        let six = Kind::Reference("operations6");
        let line = |name, kind, family, peer, aim: Option<&'static str>| Self {
            name,
            aim: aim.map(|of| (of, 1.25)),
            kind,
            family,
            peer,
        };
        let (near, far) = (Peer::Near, Peer::Far);
        vec![
            line(EMPTY, Kind::Reference("empty"), 4, near, None),
            line(
                "one increment in a per-CPU hash",
                Kind::Reference("per_cpu_hash"),
                4,
                near,
                None,
            ),
            line(ARRAY, Kind::Reference("array"), 4, near, None),
            line("level min", ours(LEVEL_MIN, 0), 4, near, Some(ARRAY)),
            line(NEAR4, four, 4, near, None),
            line(
                "IPv4, this node: level default",
                default,
                4,
                near,
                Some(NEAR4),
            ),
            line(FAR4, four, 4, far, None),
            line("IPv4, cluster: level default", default, 4, far, Some(FAR4)),
            line(NEAR6, six, 6, near, None),
            line(
                "IPv6, this node: level default",
                default,
                6,
                near,
                Some(NEAR6),
            ),
            line(FAR6, six, 6, far, None),
            line("IPv6, cluster: level default", default, 6, far, Some(FAR6)),
            line(
                "IPv4, cluster: level default, TCP",
                ours(LEVEL_DEFAULT, 1),
                4,
                far,
                None,
            ),
            line(
                "IPv4, cluster: level detail",
                ours(LEVEL_DETAIL, 0),
                4,
                far,
                None,
            ),
        ]
    }

    /// Whether the programs of `other` do for it as well.
    pub(super) fn shares(&self, other: &Self) -> bool {
        let ours = matches!(self.kind, Kind::Ours { .. });
        self.kind == other.kind && (ours || self.address() == other.address())
    }

    /// Loads `programs` of the kind, each with its slot and with the maps that are pinned in `folder`,
    /// and what calls them.
    pub(super) fn load(&self, folder: &Path, programs: u32) -> Driver {
        let (address, slots) = (self.address(), (0..programs).collect::<Vec<u32>>());
        let mut loader = reference(folder, &address);
        let mut driver = prepared(loader.override_global(constants::SLOT, &0_u32, true));
        classifier(&mut driver, "drive");
        fill(&mut driver);
        let targets = driver.take_map("targets").expect("the map of programs");
        let mut targets = ProgramArray::try_from(targets).expect("a map of programs");
        for slot in &slots {
            let called = (*slot..TARGETS).step_by(usize::try_from(programs).expect("a thousand"));
            let mut take = |program: &SchedClassifier| {
                let program = program.fd().expect("it is loaded");
                for at in called.clone() {
                    targets.set(at, program, 0).expect("take in a program");
                }
            };
            match self.kind {
                Kind::Reference(name) => {
                    let told = loader.override_global(constants::SLOT, slot, true);
                    take(classifier(&mut prepared(told), name));
                }
                Kind::Ours { level, tcp } => {
                    let constants = Constants {
                        slot: *slot,
                        level,
                        tcp,
                        ..Constants::default()
                    };
                    let loaded = Programs::load(&constants, Maps::Pinned(folder));
                    let mut loaded = loaded.expect("load the programs");
                    take(loaded.classifier(Way::Receive).expect("load one"));
                }
            }
        }
        Driver {
            object: driver,
            _targets: targets,
        }
    }

    /// 64 bytes of TCP without its payload's meaning, from the peer.
    pub(super) fn frame(&self) -> [u8; 78] {
        let mut frame = [0; 78];
        frame[0] = 2;
        if self.family == 4 {
            frame[12..14].copy_from_slice(&[0x08, 0x00]);
            frame[14] = 0x45;
            frame[23] = 6;
            frame[26..30].copy_from_slice(&self.address()[..4]);
        } else {
            frame[12..14].copy_from_slice(&[0x86, 0xdd]);
            frame[14] = 0x60;
            frame[20] = 6;
            frame[22..38].copy_from_slice(&self.address());
        }
        frame
    }

    fn address(&self) -> [u8; 16] {
        let host = if self.peer == Peer::Near { 1 } else { 2 };
        let mut address = [0; 16];
        if self.family == 4 {
            address[..4].copy_from_slice(&[10, 1, host, 7]);
        } else {
            address[..2].copy_from_slice(&[0xfd, 1]);
            address[14..].copy_from_slice(&[host, 7]);
        }
        address
    }
}

/// What loads the reference's object with this address. It reads all of the kernel's types when it is
/// made, which takes longer than to load a program.
fn reference<'a>(folder: &Path, address: &'a [u8; 16]) -> EbpfLoader<'a> {
    let mut loader = EbpfLoader::new();
    loader
        .btf(None)
        .override_global("ADDRESS", &address[..], true)
        .map_pin_path("hash", folder.join("hash"));
    for name in MAPS {
        loader.map_pin_path(name, folder.join(name));
    }
    loader
}

/// Its programs; none of them is loaded yet.
fn prepared(loader: &mut EbpfLoader<'_>) -> Ebpf {
    loader
        .load(OBJECT)
        .expect("load the reference (run as root)")
}

fn classifier<'a>(object: &'a mut Ebpf, name: &str) -> &'a mut SchedClassifier {
    match object.program_mut(name) {
        Some(Program::SchedClassifier(program)) => {
            if program.fd().is_err() {
                program.load().expect("load a program");
            }
            program
        }
        _ => panic!("the object has no program {name}"),
    }
}

/// As on a node with 300 containers of either family, in a cluster of three prefixes.
fn fill(object: &mut Ebpf) {
    let mut map = |name| object.take_map(name).expect("a map");
    let mut near4: HashMap<_, [u8; 4], u32> = HashMap::try_from(map(maps::NEAR4)).expect("a hash");
    let mut near6: HashMap<_, [u8; 16], u32> = HashMap::try_from(map(maps::NEAR6)).expect("a hash");
    for at in 0..300_u16 {
        let [high, low] = at.to_be_bytes();
        near4
            .insert([10, 1, 1 + 8 * high, low], 1, 0)
            .expect("insert");
        let mut address = [0; 16];
        address[..2].copy_from_slice(&[0xfd, 1]);
        address[14..].copy_from_slice(&[1 + 8 * high, low]);
        near6.insert(address, 1, 0).expect("insert");
    }
    let mut scope4: LpmTrie<_, [u8; 4], u32> =
        LpmTrie::try_from(map(maps::SCOPE4)).expect("a trie");
    let mut scope6: LpmTrie<_, [u8; 16], u32> =
        LpmTrie::try_from(map(maps::SCOPE6)).expect("a trie");
    let cluster = number(Scope::Cluster);
    for (at, prefix) in [([10, 0], 8), ([10, 96], 12), ([172, 16], 12)] {
        let key = Key::new(prefix, [at[0], at[1], 0, 0]);
        scope4.insert(&key, cluster, 0).expect("insert");
    }
    for (second, prefix) in [(1, 16), (2, 16), (3, 16)] {
        let mut address = [0; 16];
        address[..2].copy_from_slice(&[0xfd, second]);
        scope6
            .insert(&Key::new(prefix, address), cluster, 0)
            .expect("insert");
    }
    if let Some(hash) = object.take_map("hash") {
        own_hash(hash);
    }
}

#[expect(clippy::as_conversions, reason = "the number is the interface's")]
fn number(scope: Scope) -> u32 {
    scope as u32
}

/// An entry for each slot.
fn own_hash(hash: Map) {
    let mut hash: PerCpuHashMap<MapData, u32, [u64; 2]> =
        PerCpuHashMap::try_from(hash).expect("a hash");
    let processors = aya::util::nr_cpus().expect("count the processors");
    for slot in 0..TARGETS {
        let none = PerCpuValues::try_from(vec![[0_u64; 2]; processors]).expect("one for each");
        hash.insert(slot, none, 0).expect("insert");
    }
}
