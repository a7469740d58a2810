//! What the programs are measured against: nothing at all, one counter, and the map operations of
//! one packet without anything around them. And what calls one of a thousand programs.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "as in the programs themselves")]

#[expect(
    dead_code,
    reason = "the maps are the programs' own; not all of them are used here"
)]
#[path = "../maps.rs"]
mod maps;

use aya_ebpf::bindings::TC_ACT_UNSPEC;
use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_get_smp_processor_id};
use aya_ebpf::macros::{classifier, map};
use aya_ebpf::maps::lpm_trie::Key;
use aya_ebpf::maps::{PerCpuHashMap, ProgramArray};
use aya_ebpf::programs::TcContext;
use berth_ebpf_common::{Count, slot_index};

use crate::maps::{NEAR4, NEAR6, SCOPE4, SLOTS, add_count, scope6};

/// How many programs there are to be called.
const TARGETS: u32 = 1000;

#[map(name = "targets")]
static TARGET_PROGRAMS: ProgramArray = ProgramArray::with_max_entries(TARGETS, 0);

#[map(name = "hash")]
static HASH: PerCpuHashMap<u32, Count> = PerCpuHashMap::with_max_entries(4096, 0);

/// The address to look up, as it is in a packet. Of IPv4 its first half is the address.
#[unsafe(no_mangle)]
static ADDRESS: [u64; 2] = [0; 2];

fn address() -> [u64; 2] {
    // SAFETY: a static of this type that nobody writes to.
    unsafe { core::ptr::read_volatile(&raw const ADDRESS) }
}

/// Calls one of the programs, whichever.
#[classifier]
pub fn drive(ctx: TcContext) -> i32 {
    // SAFETY: the helper takes nothing; the other program takes over when there is one.
    unsafe {
        let any = bpf_get_prandom_u32() % TARGETS;
        let _ = TARGET_PROGRAMS.tail_call(&ctx, any);
    }
    // None was there: not the verdict of any program.
    7
}

#[classifier]
pub fn empty(_: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// The counter that most others use.
#[classifier]
pub fn per_cpu_hash(ctx: TcContext) -> i32 {
    if let Some(count) = HASH.get_ptr_mut(maps::slot()) {
        // SAFETY: this processor's own.
        unsafe {
            (*count).bytes += u64::from(ctx.len());
            (*count).packets += 1;
        }
    }
    TC_ACT_UNSPEC
}

/// One counter of bytes and packets that all processors share.
#[classifier]
pub fn array(ctx: TcContext) -> i32 {
    increment(&ctx, slot_index(maps::slot(), 0));
    TC_ACT_UNSPEC
}

#[inline(always)]
fn increment(ctx: &TcContext, index: u32) {
    if let Some(value) = SLOTS.get_ptr_mut(index) {
        // SAFETY: within the map's memory.
        unsafe {
            let count = (&raw mut (*value).receive.scopes).cast::<Count>();
            add_count(count, u64::from(ctx.len()), 1);
        }
    }
}

/// The increment of this processor's shard.
#[inline(always)]
fn shard(ctx: &TcContext) {
    // SAFETY: the helper takes nothing and touches nothing.
    let processor = unsafe { bpf_get_smp_processor_id() };
    increment(ctx, slot_index(maps::slot(), processor));
}

/// The map operations of an IPv4 packet.
#[classifier]
pub fn operations4(ctx: TcContext) -> i32 {
    let address = address()[0] as u32;
    // SAFETY: only whether there is one is asked.
    if unsafe { NEAR4.get(address) }.is_some() || SCOPE4.get(Key::new(32, address)).is_some() {
        shard(&ctx);
    }
    TC_ACT_UNSPEC
}

/// The map operations of an IPv6 packet.
#[classifier]
pub fn operations6(ctx: TcContext) -> i32 {
    let address = address();
    // SAFETY: as above.
    if unsafe { NEAR6.get(address) }.is_some() || scope6(address).is_some() {
        shard(&ctx);
    }
    TC_ACT_UNSPEC
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 11] = *b"Apache-2.0\0";
