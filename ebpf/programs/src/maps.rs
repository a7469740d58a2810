//! The maps, and the constants that a program is given when it is loaded.

use aya_ebpf::macros::map;
use aya_ebpf::maps::lpm_trie::LpmTrie;
use aya_ebpf::maps::{Array, HashMap};
use berth_ebpf_common as abi;

/// `BPF_F_MMAPABLE` (Linux 5.5): the agent reads without a system call.
const MAPPED: u32 = 1 << 10;

#[map(name = "slots")]
pub static SLOTS: Array<abi::SlotValue> = Array::pinned(abi::SLOTS * abi::SHARDS, MAPPED);

#[map(name = "details")]
pub static DETAILS: Array<abi::DetailValue> =
    Array::pinned(abi::SLOTS * abi::DETAIL_SHARDS, MAPPED);

#[map(name = "scope4")]
pub static SCOPE4: LpmTrie<[u8; 4], u32> = LpmTrie::pinned(abi::SCOPE_ENTRIES, 0);

#[map(name = "scope6")]
pub static SCOPE6: LpmTrie<[u8; 16], u32> = LpmTrie::pinned(abi::SCOPE_ENTRIES, 0);

#[map(name = "near4")]
pub static NEAR4: HashMap<[u8; 4], u32> = HashMap::pinned(abi::NEAR_ENTRIES, 0);

#[map(name = "near6")]
pub static NEAR6: HashMap<[u8; 16], u32> = HashMap::pinned(abi::NEAR_ENTRIES, 0);

#[map(name = "tcp")]
pub static TCP_HEALTH: Array<abi::TcpValue> = Array::pinned(abi::SLOTS, MAPPED);

#[map(name = "cgroups")]
pub static CGROUPS: HashMap<u64, u32> = HashMap::pinned(abi::CONTAINER_SLOTS, 0);

#[map(name = "containers")]
pub static CONTAINERS: Array<abi::ContainerValue> =
    Array::pinned(abi::CONTAINER_SLOTS * abi::CONTAINER_SHARDS, MAPPED);

#[unsafe(no_mangle)]
static SLOT: u32 = 0;
#[unsafe(no_mangle)]
static LEVEL: u32 = abi::constants::LEVEL_DEFAULT;
#[unsafe(no_mangle)]
static NODE_END: u32 = 0;
#[unsafe(no_mangle)]
static TCP: u32 = 0;
#[unsafe(no_mangle)]
static DEPTH: u32 = 0;

/// Read so that the compiler takes no notice of the value it has here. The verifier knows the real
/// one, and drops what is never reached.
macro_rules! constant {
    ($name:ident, $static:ident) => {
        #[inline(always)]
        pub fn $name() -> u32 {
            // SAFETY: a static of this type that nobody writes to.
            unsafe { core::ptr::read_volatile(&raw const $static) }
        }
    };
}

constant!(slot, SLOT);
constant!(level, LEVEL);
constant!(node_end, NODE_END);
constant!(tcp, TCP);
constant!(depth, DEPTH);
