//! Which address to try: a pure choice.

use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{AddressRecord, Block, PoolName, PoolRecord, Record as _};

use super::{BlockHint, Hint, TAKEN_FOR_MS};

/// An address to try, with what its key must still hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    /// The address.
    pub(crate) address: IpAddr,
    /// Its key's revision.
    pub(crate) revision: Revision,
    /// Its key's record; a fresh one where the key does not exist.
    pub(crate) record: AddressRecord,
    /// The block it is in.
    pub(crate) block: Block,
}

/// What to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// An address of a block the node has.
    Own(Pick),
    /// The first address of a block that nobody has; the block is claimed with it.
    Claim(Pick),
    /// The hint knows nothing that can be had: look into the store.
    Look,
}

impl Hint {
    /// Chooses the address to try.
    ///
    /// Own blocks first, and of their addresses the one that is free for longest: never used ones
    /// in order, then by the revision that released them. Then a spare block.
    pub(crate) fn choose(&self, name: &PoolName, now_ms: u64) -> Choice {
        let Some((_, pool)) = &self.pool else {
            return Choice::Look;
        };
        let free = |mine: bool| {
            self.blocks
                .iter()
                .filter(move |(_, block)| block.mine == mine)
                .flat_map(|(first, block)| self.free_in(pool, *first, block, now_ms))
                .min()
        };
        if let Some((revision, address)) = free(true) {
            return self
                .pick(name, address, revision)
                .map_or(Choice::Look, Choice::Own);
        }
        let spare = free(false);
        let claim = spare.and_then(|(revision, address)| self.pick(name, address, revision));
        claim.map_or(Choice::Look, Choice::Claim)
    }

    /// A spare block becomes one the node looks in, for the calls that come while it is claimed.
    ///
    /// Should another node win it, the addresses taken meanwhile are merely borrowed from there.
    pub(crate) fn assume(&mut self, block: Block) {
        if let Some(block) = self.blocks.get_mut(&block.first) {
            block.mine = true;
        }
    }

    /// Nobody has the block, whatever was assumed: it is still to be claimed.
    pub(crate) fn disown(&mut self, block: Block) {
        if let Some(block) = self.blocks.get_mut(&block.first) {
            block.mine = false;
        }
    }

    fn free_in<'a>(
        &'a self,
        pool: &'a PoolRecord,
        first: IpAddr,
        block: &'a BlockHint,
        now_ms: u64,
    ) -> impl Iterator<Item = (Revision, IpAddr)> {
        let all = Block {
            first,
            size: block.size,
        };
        all.addresses().filter_map(move |address| {
            let revision = match block.slots.get(&address) {
                None => Revision::ABSENT,
                Some(slot) if slot.free.is_some() => slot.r,
                Some(_) => return None,
            };
            let taken = self.taken.get(&address).is_some_and(|t| {
                // A boot ago counts as long ago.
                t.at <= now_ms && now_ms - t.at < TAKEN_FOR_MS
            });
            (!taken && pool.is_usable(address)).then_some((revision, address))
        })
    }

    fn pick(&self, name: &PoolName, address: IpAddr, revision: Revision) -> Option<Pick> {
        let (first, block) = self.blocks.range(..=address).next_back()?;
        let raw = block
            .slots
            .get(&address)
            .and_then(|slot| slot.free.as_ref());
        let record = match raw {
            None => AddressRecord::unused(name.clone()),
            Some(raw) => AddressRecord::decode("hint", raw.get().as_bytes()).ok()?,
        };
        Some(Pick {
            address,
            revision,
            record,
            block: Block {
                first: *first,
                size: block.size,
            },
        })
    }
}
