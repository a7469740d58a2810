//! The maps, and the constants that a program is given when it is loaded.
//!
//! None asks to be pinned: whoever loads the object says where each is, or makes it anew.

use aya_ebpf::macros::map;
use aya_ebpf::maps::lpm_trie::{Key, LpmTrie};
use aya_ebpf::maps::{Array, HashMap};
use berth_ebpf_common as abi;

/// `BPF_F_MMAPABLE` (Linux 5.5): the agent reads without a system call.
const MAPPED: u32 = 1 << 10;

#[map(name = "slots")]
pub static SLOTS: Array<abi::SlotValue> = Array::with_max_entries(abi::SLOTS * abi::SHARDS, MAPPED);

#[map(name = "details")]
pub static DETAILS: Array<abi::DetailValue> =
    Array::with_max_entries(abi::SLOTS * abi::DETAIL_SHARDS, MAPPED);

#[map(name = "tcp")]
pub static TCP_VALUES: Array<abi::TcpValue> = Array::with_max_entries(abi::SLOTS, MAPPED);

// An address is a word here, or two, as it is in the packet: moved as a whole, not by its bytes.

#[map(name = "scope4")]
pub static SCOPE4: LpmTrie<u32, u32> = LpmTrie::with_max_entries(abi::SCOPE_ENTRIES, 0);

#[map(name = "scope6")]
pub static SCOPE6: LpmTrie<[u64; 2], u32> = LpmTrie::with_max_entries(abi::SCOPE_ENTRIES, 0);

#[map(name = "near4")]
pub static NEAR4: HashMap<u32, u32> = HashMap::with_max_entries(abi::NEAR_ENTRIES, 0);

#[map(name = "near6")]
pub static NEAR6: HashMap<[u64; 2], u32> = HashMap::with_max_entries(abi::NEAR_ENTRIES, 0);

#[map(name = "cgroups")]
pub static CGROUPS: HashMap<u64, u32> = HashMap::with_max_entries(abi::CONTAINER_SLOTS, 0);

#[map(name = "containers")]
pub static CONTAINERS: Array<abi::ContainerValue> =
    Array::with_max_entries(abi::CONTAINER_SLOTS * abi::CONTAINER_SHARDS, MAPPED);

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

/// A key of [`SCOPE6`]: the address is where it is moved by words.
#[repr(C, align(8))]
struct Key6 {
    unused: u32,
    prefix: u32,
    address: [u64; 2],
}

/// What [`SCOPE6`] says of an address.
#[inline(always)]
pub fn scope6(address: [u64; 2]) -> Option<u32> {
    let key = Key6 {
        unused: 0,
        prefix: 128,
        address,
    };
    // SAFETY: from its prefix on it is a key, which has no alignment.
    let key = unsafe { &*(&raw const key.prefix).cast::<Key<[u64; 2]>>() };
    SCOPE6.get(key).copied()
}

/// Adds to a counter of a map. Another processor may share it.
///
/// # Safety
/// `to` is aligned and in a map's memory, to which nobody writes but this way.
#[inline(always)]
pub unsafe fn add(to: *mut u64, what: u64) {
    use core::intrinsics::{AtomicOrdering, atomic_xadd};
    // The value before is not used, so that the instruction of any kernel does.
    // SAFETY: as the caller promises.
    let _ = unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(to, what) };
}

/// Adds bytes and packets.
///
/// # Safety
/// As for [`add`].
#[inline(always)]
pub unsafe fn add_count(to: *mut abi::Count, bytes: u64, packets: u64) {
    // SAFETY: as the caller promises; fields of it are as well.
    unsafe {
        add(&raw mut (*to).bytes, bytes);
        add(&raw mut (*to).packets, packets);
    }
}
