//! The slower way to an address: looking into the store first.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Answer, KeyRange, Read, Revision, Store};
use berth_types::{Block, BlockRecord, Family, PoolRecord, keys};

use super::any::Chosen;
use super::asking::Asking;
use super::{set_back, txn};
use crate::clock::{Clock, uptime_ms};
use crate::hint::{Choice, Hint};
use crate::record::{decode, list, one, parse, slots};
use crate::{Ipam, IpamError};

/// How many unclaimed blocks of a family a look brings home, so that many calls at once need only
/// one.
const SPARE_BLOCKS: usize = 4;
/// How many blocks are asked for in one request; etcd allows 128 operations.
pub(super) const BLOCKS_PER_READ: usize = 100;

impl<S: Store> Ipam<S> {
    /// Looks into the store for blocks of the node's own and for spare ones.
    ///
    /// Where there are none of some family, all of the pool is looked through.
    pub(super) async fn look(&self, asking: &mut Asking<'_>) -> Result<Chosen, IpamError> {
        let pool = self.read_pool(asking).await?;
        if let Some(id) = asking.to_be_kept(&pool.1) {
            return Ok(Chosen::KeptFor(id));
        }
        let blocks = KeyRange::prefix(keys::blocks(asking.pool));
        let claimed = self.store.read(&[Read::List(blocks)]).await?;
        let wanted = self.blocks_to_look_at(&pool.1, &claimed);
        let mut learnt = Vec::new();
        for some in wanted.chunks(BLOCKS_PER_READ) {
            let reads: Vec<_> = some
                .iter()
                .map(|(block, _)| Read::List(txn::block_range(*block)))
                .collect();
            let answer = self.store.read(&reads).await?;
            let clock = Clock::at(asking.now);
            for (n, (block, mine)) in some.iter().enumerate() {
                let slots = slots(&answer, n, *block, clock);
                learnt.push((*block, *mine, answer.revision, slots));
            }
        }
        let choosable = self.hint(asking.pool).update(|hint| {
            hint.learn_pool(pool.0, pool.1.clone());
            hint.node = asking.node;
            for (block, mine, seen_at, slots) in learnt {
                hint.learn_block(block, mine, seen_at, slots);
            }
            let now_ms = uptime_ms();
            let choose = |family| hint.choose(asking.pool, family, now_ms);
            let families = pool.1.families();
            families.into_iter().all(|f| choose(f) != Choice::Look)
        });
        // What was learnt is lost where it cannot be kept, so the choice is made here then.
        if choosable.if_kept() == Some(true) {
            return Ok(Chosen::Nothing);
        }
        let ready = self.scan_for_all(asking, pool).await?;
        Ok(Chosen::Ready(Box::new(ready)))
    }

    /// The pool that is being tried, when it is open to the request.
    pub(super) async fn read_pool(
        &self,
        asking: &mut Asking<'_>,
    ) -> Result<(Revision, PoolRecord), IpamError> {
        let reads = [
            Read::Get(keys::pool(asking.pool).into()),
            Read::Get(keys::CLOSED.into()),
            Read::Get(keys::node(&self.node.name).into()),
        ];
        let known = |hint: &mut Hint| set_back::known(hint.lineage.clone(), hint.high, None);
        let known = self.hint(asking.pool).update(known).anyhow();
        let answer = self.store.read(&reads).await?;
        if let Some(closed) = one(&answer, 1) {
            let reason = txn::closing_reason(closed);
            return Err(IpamError::Closed { reason });
        }
        asking.learn_node(&self.node, parse(&answer, 2)?.as_ref())?;
        self.judge_answer(asking, &known, answer.revision).await?;
        let found = parse::<PoolRecord>(&answer, 0)?;
        let (revision, pool) = found.ok_or_else(|| IpamError::NoSuchPool(asking.pool.clone()))?;
        asking.may_draw(&pool, &self.node)?;
        Ok((revision, pool))
    }

    /// The node's own blocks (`true`), then a few of each family that nobody has.
    ///
    /// The spare ones begin at a place drawn from the node's id, so that nodes do not race for
    /// the same block.
    fn blocks_to_look_at(&self, pool: &PoolRecord, claimed: &Answer) -> Vec<(Block, bool)> {
        let owners: BTreeMap<IpAddr, _> = list(claimed, 0)
            .iter()
            .filter_map(|entry| {
                let (_, first) = keys::parse_block(&entry.key)?;
                // A record that cannot be read is somebody's.
                let owner = decode::<BlockRecord>(entry).ok();
                Some((first, owner.map(|(_, record)| record.node)))
            })
            .collect();
        let size = u32::from(pool.block_size);
        let own = owners
            .iter()
            .filter(|(_, owner)| owner.as_ref() == Some(&self.node.name))
            .map(|(first, _)| Block {
                first: *first,
                size,
            });
        let own = own.filter(|block| pool.subnet_of(block.first).is_some());
        let mut found: Vec<_> = own.map(|block| (block, true)).collect();
        for family in pool.families() {
            let unclaimed = blocks_of(pool, family)
                .filter(|block| !owners.contains_key(&block.first))
                .filter(|block| block.addresses().any(|a| pool.is_usable(a)));
            let unclaimed: Vec<_> = unclaimed.take(64).collect();
            let spare = rotated(&unclaimed, self.node.seed()).take(SPARE_BLOCKS);
            found.extend(spare.map(|block| (*block, false)));
        }
        found
    }
}

/// Every block of that family, lazily.
///
/// Those of the other are not even passed over: an IPv6 subnet has more than could be counted.
pub(super) fn blocks_of(pool: &PoolRecord, family: Family) -> impl Iterator<Item = Block> {
    let subnets = pool.subnets.iter();
    let of_family = subnets.filter(move |subnet| Family::of(subnet.cidr.ip()) == family);
    of_family.flat_map(|subnet| subnet.blocks(pool.block_size))
}

/// The items from a place given by `seed`, and on from the beginning.
pub(super) fn rotated<T>(items: &[T], seed: u64) -> impl Iterator<Item = &T> {
    let length = u64::try_from(items.len()).unwrap_or(u64::MAX).max(1);
    let start = usize::try_from(seed % length).unwrap_or(0);
    let (before, after) = items.split_at(start.min(items.len()));
    after.iter().chain(before)
}
