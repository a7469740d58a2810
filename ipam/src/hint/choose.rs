//! Which address to try: a pure choice.

use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{AddressRecord, Block, Family, PoolName, PoolRecord, Record as _};

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

/// For how long a look at the whole pool is remembered.
const DRY_FOR_MS: u64 = 5000;

/// The addresses to try, each with the revision of its key.
#[derive(Default)]
struct Best {
    /// Of the node's own blocks.
    rested: Option<(Revision, IpAddr)>,
    /// Of those too, but given up a moment ago.
    resting: Option<(Revision, IpAddr)>,
    /// Of blocks that nobody has.
    spare: Option<(Revision, IpAddr)>,
}

/// The free addresses of a block, with their keys' revisions and when they were given up.
fn free_in(
    first: IpAddr,
    block: &BlockHint,
) -> impl Iterator<Item = (Revision, IpAddr, Option<u64>)> {
    let all = Block {
        first,
        size: block.size,
    };
    all.addresses()
        .filter_map(|address| match block.slots.get(&address) {
            None => Some((Revision::ABSENT, address, None)),
            Some(slot) => slot.free.as_ref().map(|_| (slot.r, address, slot.freed)),
        })
}

/// Whether `at` is less than `span` ago. A later uptime is of an earlier boot, long ago.
fn is_recent(at: Option<u64>, span: u64, now: u64) -> bool {
    at.is_some_and(|at| at <= now && now - at < span)
}

impl Hint {
    /// Chooses the address of `family` to try.
    ///
    /// Own blocks first, and of their addresses the one that is free for longest: never used ones
    /// in order, then by the revision that released them. Then a spare block. An address that was
    /// given up a moment ago rests as long as there is another, also one of another node's.
    pub(crate) fn choose(&self, name: &PoolName, family: Family, now_ms: u64) -> Choice {
        let Some((_, pool)) = &self.pool else {
            return Choice::Look;
        };
        let best = self.best(pool, family, now_ms);
        let pick = |(revision, address)| self.pick(name, address, revision);
        let own = best.rested.and_then(pick).map(Choice::Own);
        let spare = || best.spare.and_then(pick).map(Choice::Claim);
        let tired = || {
            let dry = is_recent(self.dry, DRY_FOR_MS, now_ms);
            let tired = if dry { best.resting } else { None };
            tired.and_then(pick).map(Choice::Own)
        };
        own.or_else(spare).or_else(tired).unwrap_or(Choice::Look)
    }

    /// The addresses that are free for longest. One pass; what is not better is not looked at.
    fn best(&self, pool: &PoolRecord, family: Family, now_ms: u64) -> Best {
        let cooldown_ms = u64::from(pool.cooldown_s) * 1000;
        let mut best = Best::default();
        let blocks = self.blocks.iter();
        for (first, block) in blocks.filter(|(first, _)| Family::of(**first) == family) {
            for (revision, address, freed) in free_in(*first, block) {
                let rests = is_recent(freed, cooldown_ms, now_ms);
                let place = match (block.mine, rests) {
                    (true, false) => &mut best.rested,
                    (true, true) => &mut best.resting,
                    (false, false) => &mut best.spare,
                    (false, true) => continue,
                };
                let better = place.is_none_or(|known| (revision, address) < known);
                if better && !self.is_taken(address, now_ms) && pool.is_usable(address) {
                    *place = Some((revision, address));
                }
            }
        }
        best
    }

    fn is_taken(&self, address: IpAddr, now_ms: u64) -> bool {
        let taken_at = self.taken.get(&address).map(|taken| taken.at);
        is_recent(taken_at, TAKEN_FOR_MS, now_ms)
    }

    /// Notes that nothing rested was found in all of the pool: for a while own addresses that
    /// still rest are as good as any.
    pub(crate) fn note_dry(&mut self, now_ms: u64) {
        self.dry = Some(now_ms);
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
