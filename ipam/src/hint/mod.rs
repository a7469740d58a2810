//! What a node believes about a pool: plain data, and the choice of an address from it.
//!
//! A hint may be wrong about anything. The transaction that follows compares revisions with the
//! store, so a wrong hint costs one more request and nothing else.

mod choose;
mod file;
mod memory;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Lineage, Revision};
use berth_types::{
    AddressRecord, AttachmentId, Block, Family, Incarnation, PoolRecord, Record as _, SchemaVersion,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Clock;

pub(crate) use choose::{Choice, Pick};
pub(crate) use file::{HintFile, highest_seen};
pub(crate) use memory::Memory;

/// How many recent attachments are remembered as witnesses.
const WITNESSES: usize = 8;
/// After this long a process that took an address without a word is taken for dead.
const TAKEN_FOR_MS: u64 = 60_000;
/// For how long a block must have been empty before it is given back.
const IDLE_FOR_MS: u64 = 60_000;

/// One node's beliefs about one pool.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hint {
    v: SchemaVersion,
    /// The highest revision of the store ever seen.
    pub(crate) high: Revision,
    /// The pool's record, and its revision.
    pub(crate) pool: Option<(Revision, PoolRecord)>,
    /// Blocks to look in, by first address.
    blocks: BTreeMap<IpAddr, BlockHint>,
    /// Addresses that a call on this node is about to claim.
    taken: BTreeMap<IpAddr, Taken>,
    /// Live attachments of this node, newest last.
    witnesses: Vec<Witness>,
    /// Which store it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lineage: Option<Lineage>,
    /// The revision of the node's own record, once it was seen to be this machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<Revision>,
    /// When all of the pool was last seen without a rested address, in milliseconds since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dry: Option<u64>,
}

/// An attachment that a store which was not set back still has at that revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Witness {
    /// Which attachment.
    pub(crate) id: AttachmentId,
    /// When it was written.
    pub(crate) revision: Revision,
    /// One of the addresses written with it.
    pub(crate) address: IpAddr,
}

/// What is believed about a block.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockHint {
    /// How many addresses it has.
    size: u32,
    /// Whether the node has it, or nobody (then it is claimed with its first address).
    mine: bool,
    /// What its address keys hold; an address that is not here has none.
    slots: BTreeMap<IpAddr, SlotHint>,
    /// Since when nobody has an address of it, in milliseconds since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    empty: Option<u64>,
}

/// What is believed about an address's key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlotHint {
    /// The revision that wrote it.
    r: Revision,
    /// The record while the address can be had; absent while it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    free: Option<Box<RawValue>>,
    /// When it was given up, in milliseconds since boot; absent when that was long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freed: Option<u64>,
}

/// A claim under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    by: Incarnation,
    /// Milliseconds since boot.
    at: u64,
}

impl SlotHint {
    /// The hint for a key whose address cannot be had.
    pub(crate) const fn held(revision: Revision) -> Self {
        Self {
            r: revision,
            free: None,
            freed: None,
        }
    }

    /// The hint for a key that holds `record` since `revision`.
    pub(crate) fn of(revision: Revision, record: &AddressRecord, clock: Clock) -> Self {
        let open = record.holder.is_none() && record.reserved_for.is_none() && !record.unproven;
        let raw = || {
            String::from_utf8(record.encode())
                .ok()
                .and_then(|s| RawValue::from_string(s).ok())
        };
        Self {
            r: revision,
            free: if open { raw() } else { None },
            freed: record.released_at.and_then(|at| clock.uptime_of(at)),
        }
    }
}

impl Hint {
    /// Learns the pool's record. Blocks of another size than its are of a pool that is no more.
    pub(crate) fn learn_pool(&mut self, revision: Revision, pool: PoolRecord) {
        if self
            .pool
            .as_ref()
            .is_none_or(|(known, _)| *known < revision)
        {
            let size = u32::from(pool.block_size);
            self.blocks.retain(|_, block| block.size == size);
            self.pool = Some((revision, pool));
        }
    }

    /// Learns all there is of a block, as it was at the store's revision `seen_at`.
    ///
    /// What was learnt after that moment stands. Ignored when the pool has blocks of another size.
    pub(crate) fn learn_block(
        &mut self,
        block: Block,
        mine: bool,
        seen_at: Revision,
        slots: BTreeMap<IpAddr, SlotHint>,
    ) {
        self.high = self.high.max(seen_at);
        if self
            .pool
            .as_ref()
            .is_some_and(|(_, pool)| u32::from(pool.block_size) != block.size)
        {
            return;
        }
        let known = self.blocks.entry(block.first).or_insert_with(|| BlockHint {
            size: block.size,
            mine,
            slots: BTreeMap::new(),
            empty: None,
        });
        known.mine |= mine;
        known.slots.retain(|_, slot| slot.r > seen_at);
        for (address, slot) in slots {
            known.slots.entry(address).or_insert(slot);
        }
    }

    /// Learns that somebody else has a block.
    pub(crate) fn forget_block(&mut self, first: IpAddr) {
        self.blocks.remove(&first);
    }

    /// Learns what became of one address; ignored when its block is not looked in.
    pub(crate) fn learn_slot(&mut self, address: IpAddr, slot: SlotHint) {
        if let Some(block) = self.block_around(address) {
            let newer = block
                .slots
                .get(&address)
                .is_none_or(|known| known.r < slot.r);
            if newer {
                block.slots.insert(address, slot);
            }
        }
    }

    fn block_around(&mut self, address: IpAddr) -> Option<&mut BlockHint> {
        let (first, block) = self.blocks.range_mut(..=address).next_back()?;
        let around = Block {
            first: *first,
            size: block.size,
        };
        (address <= around.last()).then_some(block)
    }

    /// Notes that `by` is about to claim `address`.
    pub(crate) fn take(&mut self, address: IpAddr, by: &Incarnation, now_ms: u64) {
        self.taken.insert(
            address,
            Taken {
                by: by.clone(),
                at: now_ms,
            },
        );
    }

    /// Ends the claims of `by`, whatever came of them.
    pub(crate) fn untake(&mut self, by: &Incarnation) {
        self.taken.retain(|_, taken| taken.by != *by);
    }

    /// Learns a claim that was committed: the addresses are held, the attachment is a witness.
    pub(crate) fn committed(
        &mut self,
        addresses: &[IpAddr],
        id: &AttachmentId,
        revision: Revision,
        claimed: &[Block],
    ) {
        self.high = self.high.max(revision);
        for block in claimed {
            if let Some(block) = self.blocks.get_mut(&block.first) {
                block.mine = true;
            }
        }
        for address in addresses {
            self.learn_slot(*address, SlotHint::held(revision));
            if let Some(block) = self.block_around(*address) {
                block.empty = None;
            }
        }
        self.drop_witness(id);
        self.witnesses
            .extend(addresses.first().map(|address| Witness {
                id: id.clone(),
                revision,
                address: *address,
            }));
        let surplus = self.witnesses.len().saturating_sub(WITNESSES);
        self.witnesses.drain(..surplus);
    }

    /// Learns a release.
    pub(crate) fn released(
        &mut self,
        address: IpAddr,
        revision: Revision,
        record: &AddressRecord,
        clock: Clock,
    ) {
        self.high = self.high.max(revision);
        self.learn_slot(address, SlotHint::of(revision, record, clock));
        if let Some(block) = self.block_around(address) {
            let held = block.slots.values().any(|slot| slot.free.is_none());
            block.empty = (!held).then_some(clock.uptime_ms);
        }
    }

    /// A block of the node's that nobody has used for a while, when the node has others.
    pub(crate) fn idle_block(&self, now_ms: u64) -> Option<Block> {
        let own = || self.blocks.iter().filter(|(_, block)| block.mine);
        let idle = |block: &BlockHint| {
            block
                .empty
                .is_some_and(|since| since <= now_ms && now_ms - since >= IDLE_FOR_MS)
        };
        let (first, block) = own().find(|(_, block)| idle(block))?;
        let family = Family::of(*first);
        let others = own().filter(|(other, _)| *other != first && Family::of(**other) == family);
        (others.count() > 0).then_some(Block {
            first: *first,
            size: block.size,
        })
    }

    /// The newest attachment that the store must still hold at that revision.
    pub(crate) fn witness(&self) -> Option<&Witness> {
        self.witnesses.last()
    }

    /// Stops expecting `id` in the store: it is being deleted, or has changed.
    pub(crate) fn drop_witness(&mut self, id: &AttachmentId) {
        self.witnesses.retain(|witness| witness.id != *id);
    }
}
