//! The slower ways to an address: looking into the store first.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Answer, KeyRange, Read, Revision, Store};
use berth_types::{AddressRecord, Block, BlockRecord, PoolRecord, Subnet, keys};

use super::{Asking, Step, may_allocate, not_set_back, txn};
use crate::hint::{Choice, Pick};
use crate::record::{decode, list, one, parse, slots};
use crate::{Ipam, IpamError, Lease, Request};

/// How many unclaimed blocks a look brings home, so that many calls at once need only one.
const SPARE_BLOCKS: usize = 4;
/// How many blocks are asked for in one request; etcd allows 128 operations.
const BLOCKS_PER_READ: usize = 100;
/// Among how many free addresses a borrower chooses.
const BORROW_AMONG: usize = 4096;

impl<S: Store> Ipam<S> {
    /// Looks into the store for blocks of the node's own and for spare ones.
    ///
    /// Brings a lease home when there were none and an address had to be borrowed.
    pub(super) async fn look(
        &self,
        asking: &mut Asking<'_>,
    ) -> Result<Option<Box<Lease>>, IpamError> {
        let request = asking.request;
        let (pool_revision, pool) = self.read_pool(request).await?;
        let blocks = KeyRange::prefix(keys::blocks(&request.pool));
        let claimed = self.store.read(&[Read::List(blocks)]).await?;
        let wanted = self.blocks_to_look_at(&pool, &claimed);
        let mut learnt = Vec::new();
        for some in wanted.chunks(BLOCKS_PER_READ) {
            let reads: Vec<_> = some
                .iter()
                .map(|(block, _)| Read::List(txn::block_range(*block)))
                .collect();
            let answer = self.store.read(&reads).await?;
            for (n, (block, mine)) in some.iter().enumerate() {
                learnt.push((*block, *mine, answer.revision, slots(&answer, n, *block)));
            }
        }
        let choice = self.hint(&request.pool).update(|hint| {
            hint.learn_pool(pool_revision, pool.clone());
            for (block, mine, seen_at, slots) in learnt {
                hint.learn_block(block, mine, seen_at, slots);
            }
            hint.choose(&request.pool, self.monotonic_ms())
        });
        match choice.if_kept() {
            Some(Choice::Own(_) | Choice::Claim(_)) => Ok(None),
            // What was learnt is lost where it cannot be kept, so the choice is made here.
            Some(Choice::Look) | None => self.borrow(asking, (pool_revision, pool)).await,
        }
    }

    pub(super) async fn read_pool(
        &self,
        request: &Request,
    ) -> Result<(Revision, PoolRecord), IpamError> {
        let reads = [
            Read::Get(keys::pool(&request.pool).into()),
            Read::Get(keys::CLOSED.into()),
        ];
        let seen = self.hint(&request.pool).update(|hint| hint.high).anyhow();
        let answer = self.store.read(&reads).await?;
        not_set_back(seen, answer.revision)?;
        if let Some(closed) = one(&answer, 1) {
            let reason = String::from_utf8_lossy(&closed.value).into_owned();
            return Err(IpamError::Closed { reason });
        }
        let found = parse::<PoolRecord>(&answer, 0)?;
        let (revision, pool) = found.ok_or_else(|| IpamError::NoSuchPool(request.pool.clone()))?;
        may_allocate(request, &pool)?;
        Ok((revision, pool))
    }

    /// The node's own blocks (`true`), then a few that nobody has.
    ///
    /// The spare ones begin at a place drawn from the node's id, so that nodes do not race for
    /// the same block.
    fn blocks_to_look_at(&self, pool: &PoolRecord, claimed: &Answer) -> Vec<(Block, bool)> {
        let owners: BTreeMap<IpAddr, _> = list(claimed, 0)
            .iter()
            .filter_map(|entry| {
                let (_, first) = keys::parse_block(&entry.key)?;
                // A record that cannot be read is somebody's.
                let owner = decode::<BlockRecord>(entry)
                    .ok()
                    .map(|(_, record)| record.node);
                Some((first, owner))
            })
            .collect();
        let of_pool = |address| pool.subnet_of(address).is_some();
        let size = u32::from(pool.block_size);
        let mut found: Vec<_> = owners
            .iter()
            .filter(|(_, owner)| owner.as_ref() == Some(&self.node.name))
            .map(|(first, _)| {
                (
                    Block {
                        first: *first,
                        size,
                    },
                    true,
                )
            })
            .filter(|(block, _)| of_pool(block.first))
            .collect();
        let unclaimed = pool
            .blocks()
            .filter(|block| !owners.contains_key(&block.first));
        let unclaimed = unclaimed.filter(|block| block.addresses().any(|a| pool.is_usable(a)));
        let unclaimed: Vec<_> = unclaimed.take(64).collect();
        let spare = rotated(&unclaimed, self.node.seed()).take(SPARE_BLOCKS);
        found.extend(spare.map(|block| (*block, false)));
        found
    }

    /// Takes a free address out of somebody else's block, from a place drawn from the container.
    async fn borrow(
        &self,
        asking: &mut Asking<'_>,
        pool: (Revision, PoolRecord),
    ) -> Result<Option<Box<Lease>>, IpamError> {
        let request = asking.request;
        let known = self.known_addresses(&pool.1).await?;
        let is_free = |address: &IpAddr| {
            known
                .get(address)
                .is_none_or(|(_, record)| free(record.as_ref()))
        };
        let usable = pool
            .1
            .blocks()
            .flat_map(Block::addresses)
            .filter(|a| pool.1.is_usable(*a));
        let candidates: Vec<_> = usable.filter(is_free).take(BORROW_AMONG).collect();
        let seed = crate::seed(request.attachment.container.as_str());
        let Some(address) = rotated(&candidates, seed).next().copied() else {
            let held = known
                .values()
                .filter(|(_, record)| !free(record.as_ref()))
                .count();
            let held = u64::try_from(held).unwrap_or(u64::MAX);
            return Err(IpamError::Exhausted {
                pool: request.pool.clone(),
                size: pool.1.size(),
                held,
            });
        };
        let known = known.get(&address).cloned();
        Ok(
            match self.claim_known(asking, pool, (address, known)).await? {
                Step::Done(lease) => Some(lease),
                Step::Again => None,
            },
        )
    }

    /// Every address of the pool that has a record; `None` for one that cannot be read.
    async fn known_addresses(
        &self,
        pool: &PoolRecord,
    ) -> Result<BTreeMap<IpAddr, (Revision, Option<AddressRecord>)>, IpamError> {
        let ranges = pool.subnets.iter().map(Subnet::whole);
        let reads: Vec<_> = ranges
            .map(|r| KeyRange::inclusive(keys::address(r.first()), keys::address(r.last())))
            .map(Read::List)
            .collect();
        let mut known = BTreeMap::new();
        for some in reads.chunks(BLOCKS_PER_READ) {
            let answer = self.store.read(some).await?;
            for entry in answer.lists.iter().flatten() {
                let Some(address) = keys::parse_address(&entry.key) else {
                    continue;
                };
                let record = decode::<AddressRecord>(entry)
                    .ok()
                    .map(|(_, record)| record);
                known.insert(address, (entry.revision, record));
            }
        }
        Ok(known)
    }

    /// Claims an address whose key was read already.
    pub(super) async fn claim_known(
        &self,
        asking: &mut Asking<'_>,
        pool: (Revision, PoolRecord),
        (address, known): (IpAddr, Option<(Revision, Option<AddressRecord>)>),
    ) -> Result<Step, IpamError> {
        let request = asking.request;
        let (revision, record) = match known {
            None => (
                Revision::ABSENT,
                AddressRecord::unused(request.pool.clone()),
            ),
            Some((revision, Some(record))) => (revision, record),
            Some((_, None)) => return Ok(Step::Again),
        };
        let block = Block::containing(address, pool.1.block_size);
        let pick = Pick {
            address,
            revision,
            record,
            block,
        };
        let seen = self
            .hint(&request.pool)
            .update(|hint| (hint.witness().cloned(), hint.high));
        // A witness that cannot be dropped any more would have every claim refused.
        let (witness, high) = seen.if_kept().unwrap_or_default();
        let ground = txn::Ground {
            pool,
            witness,
            high,
        };
        let ready = self.prepare(asking, &ground, pick, false);
        self.attempt(asking, ready).await
    }
}

fn free(record: Option<&AddressRecord>) -> bool {
    record.is_some_and(|r| r.holder.is_none() && r.reserved_for.is_none() && !r.unproven)
}

/// The items from a place given by `seed`, and on from the beginning.
fn rotated<T>(items: &[T], seed: u64) -> impl Iterator<Item = &T> {
    let length = u64::try_from(items.len()).unwrap_or(u64::MAX).max(1);
    let start = usize::try_from(seed % length).unwrap_or(0);
    let (before, after) = items.split_at(start.min(items.len()));
    after.iter().chain(before)
}
