//! The committed object is of this version of the interface.

use aya::maps::{Map, MapInfo};
use berth_ebpf_common as abi;
use berth_ebpf_common::constants::{LEVEL_DEFAULT, LEVEL_DETAIL, LEVEL_MIN};
use traffic_agent::kernel::bpf::{self, Hook};
use traffic_agent::kernel::load::{Constants, MAPS, Maps, OBJECT, Programs, Way};

use crate::run::{Bench, constants};

/// The map's type, key, value and entries, as the kernel has them.
fn shape(map: &Map) -> (u32, usize, usize, u32) {
    let data = match map {
        Map::Array(data) | Map::HashMap(data) | Map::LpmTrie(data) => data,
        other => panic!("no map of this kind is in the interface: {other:?}"),
    };
    let info: MapInfo = data.info().expect("describe a map");
    let kind = info.map_type().expect("a type");
    let [key, value] =
        [info.key_size(), info.value_size()].map(|size| usize::try_from(size).expect("few"));
    (kind as u32, key, value, info.max_entries())
}

#[test]
fn the_object_has_the_maps_of_the_interface() {
    const HASH: u32 = 1;
    const ARRAY: u32 = 2;
    const TRIE: u32 = 11;
    let expected = [
        (
            ARRAY,
            4,
            size_of::<abi::SlotValue>(),
            abi::SLOTS * abi::SHARDS,
        ),
        (
            ARRAY,
            4,
            size_of::<abi::DetailValue>(),
            abi::SLOTS * abi::DETAIL_SHARDS,
        ),
        (ARRAY, 4, size_of::<abi::TcpValue>(), abi::SLOTS),
        (TRIE, 8, 4, abi::SCOPE_ENTRIES),
        (TRIE, 20, 4, abi::SCOPE_ENTRIES),
        (HASH, 4, 4, abi::NEAR_ENTRIES),
        (HASH, 16, 4, abi::NEAR_ENTRIES),
        (HASH, 8, 4, abi::CONTAINER_SLOTS),
        (
            ARRAY,
            4,
            size_of::<abi::ContainerValue>(),
            abi::CONTAINER_SLOTS * abi::CONTAINER_SHARDS,
        ),
    ];
    let programs = Programs::load(&Constants::default(), Maps::Own).expect("load (run as root)");
    for (name, expected) in MAPS.into_iter().zip(expected) {
        let map = programs
            .map(name)
            .unwrap_or_else(|| panic!("the map {name}"));
        assert_eq!(shape(map), expected, "{name}");
    }
}

#[test]
fn the_kernel_takes_every_program_with_every_constant() {
    for level in [LEVEL_MIN, LEVEL_DEFAULT, LEVEL_DETAIL] {
        for (node_end, tcp) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let constants = Constants {
                node_end,
                tcp,
                depth: 4,
                ..constants(level)
            };
            Bench::new(&constants).load_all();
        }
    }
}

/// What the kernel's verifier follows, which is most of what an attachment costs. A program that it has
/// to follow for each scope and protocol by itself takes it half a second.
#[test]
fn the_kernel_proves_every_program_in_few_steps() {
    let most = most_steps();
    let mut beyond = Vec::new();
    for level in [LEVEL_MIN, LEVEL_DEFAULT, LEVEL_DETAIL] {
        for tcp in [0, 1] {
            let constants = Constants {
                tcp,
                ..constants(level)
            };
            let mut programs = Programs::load(&constants, Maps::Own).expect("load (run as root)");
            for way in Way::BOTH {
                let program = programs.classifier(way).expect("load a program");
                let info = program.info().expect("describe a program");
                let steps = info.verified_instruction_count().expect("Linux 5.16");
                if steps >= most {
                    beyond.push(format!("level {level}, TCP {tcp}, {way:?}: {steps}"));
                }
            }
        }
    }
    assert!(beyond.is_empty(), "{most} steps or more: {beyond:?}");
}

/// What is few. Kernels before TCX follow more again than later ones, when a function's end is known
/// with other numbers.
fn most_steps() -> u32 {
    match bpf::attached(1, Hook::Ingress) {
        Ok(_) => 20_000,
        Err(_) => 60_000,
    }
}

#[test]
fn the_object_names_no_place_of_the_machine_it_was_built_on() {
    for place in ["/home/", "/root/", "/tmp/", "/work/", ".cargo", "rustc-"] {
        let found = OBJECT.windows(place.len()).any(|at| at == place.as_bytes());
        assert!(!found, "the object holds {place:?}");
    }
}
