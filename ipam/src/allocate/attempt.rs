//! One transaction: sent, repeated while its outcome is unknown, and learnt from.

use std::net::IpAddr;
use std::time::Duration;

use berth_store::{Answer, Outcome, Revision, Store, StoreError, Txn};
use berth_types::{AddressRecord, AttachmentRecord, Block, Phase, PoolRecord};

use super::asking::{Asking, Extras, Keep, Step};
use super::pass_on::PassedOn;
use super::set_back;
use super::txn::{self, Ground, Owner};
use crate::clock::{Clock, uptime_ms};
use crate::closure;
use crate::fault::checkpoint;
use crate::hint::{Pick, Witness};
use crate::history::What;
use crate::{Ipam, IpamError, Lease};

/// For how long a transaction whose outcome is unknown is sent again, in milliseconds; long enough
/// for a cluster to choose a new leader.
const REPEAT_FOR_MS: u64 = 5000;
/// How long it waits before each repeat.
const REPEAT_PAUSE: Duration = Duration::from_millis(20);

/// A transaction, ready to be sent.
pub(super) struct Attempt {
    picks: Vec<Pick>,
    pool: PoolRecord,
    /// What was known of the store.
    known: closure::Known,
    /// One of the addresses of the attachment that the store must still hold.
    witness: Option<Witness>,
    /// The revision of the node's record that it rests on; [`Revision::ABSENT`] when it makes it.
    node: Revision,
    /// The blocks that are claimed with it.
    claims: Vec<Block>,
    txn: Txn,
    /// What the addresses' keys become, in the order of the picks.
    records: Vec<AddressRecord>,
}

impl Attempt {
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.picks.iter().map(|pick| pick.address).collect()
    }

    /// Adds further conditions and changes.
    pub(super) fn with(mut self, extras: Extras) -> Self {
        let Extras { compares, writes } = extras;
        self.txn.compares.extend(compares);
        self.txn.writes.extend(writes);
        self
    }
}

impl<S: Store> Ipam<S> {
    pub(super) fn prepare(
        &self,
        asking: &Asking<'_>,
        ground: Ground,
        picks: Vec<Pick>,
        claims: Vec<Block>,
    ) -> Attempt {
        let addresses: Vec<_> = picks.iter().map(|pick| pick.address).collect();
        let holder = asking.request.holder(&addresses, asking.now);
        let kept_for = asking.keep.as_ref().map(|keep| keep.id.clone());
        let held = |pick: &Pick| {
            let former = pick.record.released(asking.now);
            let mut record = former.held_by(holder.clone());
            if kept_for.is_some() {
                record.reserved_for.clone_from(&kept_for);
            }
            record
        };
        let records: Vec<_> = picks.iter().map(held).collect();
        let txn = txn::allocate(asking, &self.node, &ground, (&picks, &claims, &records));
        let Ground {
            pool: (_, pool),
            witness,
            high,
            lineage,
            node,
        } = ground;
        let witness = witness.filter(|witness| witness.id != asking.request.attachment);
        Attempt {
            picks,
            pool,
            known: set_back::known(lineage, high, witness.as_ref()),
            witness,
            node,
            claims,
            txn,
            records,
        }
    }

    /// Sends an attempt and learns from the answer.
    pub(super) async fn attempt(
        &self,
        asking: &mut Asking<'_>,
        ready: Attempt,
    ) -> Result<Step, IpamError> {
        checkpoint("ipam.claim.before");
        let outcome = self.commit_surely(&ready.txn).await?;
        checkpoint("ipam.claim.after");
        match outcome {
            Outcome::Committed(revision) => {
                self.refuse_in_another_store(asking, &ready.known).await?;
                self.committed(asking, ready, revision)
            }
            Outcome::Refused(answer) => self.refused(asking, &ready, &answer).await,
        }
    }

    fn committed(
        &self,
        asking: &Asking<'_>,
        ready: Attempt,
        revision: Revision,
    ) -> Result<Step, IpamError> {
        let addresses = ready.addresses();
        self.learn(asking.pool, |hint| {
            hint.untake(&asking.request.incarnation);
            let id = &asking.request.attachment;
            hint.committed(&addresses, id, revision, &ready.claims);
            hint.lineage = self.lineage();
            let node = if ready.node == Revision::ABSENT {
                revision
            } else {
                ready.node
            };
            hint.node = Some(node);
        });
        let changes = ready.picks.iter().zip(&ready.records);
        for (pick, record) in changes {
            let what = match pick.record.holder {
                Some(_) => What::PassedOn,
                None => What::Held,
            };
            self.write_down(what, (pick.address, record), revision, asking.now);
        }
        let given = addresses.iter().copied().zip(ready.records).collect();
        let lease = Lease::new(&ready.pool, given, revision);
        let first = addresses.first().copied();
        let outside = || first.map_or_else(|| asking.contended(), |a| asking.not_in_pool(a));
        Ok(Step::Done(Box::new(lease.ok_or_else(outside)?)))
    }

    /// Learns why the store refused; finds the addresses when an earlier attempt had won them.
    async fn refused(
        &self,
        asking: &mut Asking<'_>,
        ready: &Attempt,
        answer: &Answer,
    ) -> Result<Step, IpamError> {
        let blocks: Vec<_> = ready.picks.iter().map(|pick| pick.block).collect();
        let seen = txn::read_refusal(answer, &blocks, Clock::at(asking.now))?;
        if let Some(reason) = seen.closed {
            return Err(IpamError::Closed { reason });
        }
        let node = asking.learn_node(&self.node, seen.node.as_ref())?;
        let present = set_back::present(self.store.lineage(), answer.revision, &seen);
        self.judge_store(asking, &ready.known, &present).await?;
        let gone = seen.pool.is_none();
        self.learn(asking.pool, |hint| {
            match seen.pool {
                Some((revision, pool)) => hint.learn_pool(revision, pool),
                None => hint.pool = None,
            }
            hint.node = node;
            if let Some(witness) = &ready.witness
                && seen.witness != Some(witness.revision)
            {
                hint.drop_witness(&witness.id);
            }
            for (block, (owner, slots)) in blocks.into_iter().zip(seen.blocks) {
                match owner {
                    Owner::Node(owner) if owner == self.node.name => {
                        hint.learn_block(block, true, answer.revision, slots);
                    }
                    Owner::Nobody => {
                        hint.learn_block(block, false, answer.revision, slots);
                        hint.disown(block);
                    }
                    Owner::Node(_) | Owner::Other => hint.forget_block(block.first),
                }
            }
        });
        if gone {
            return Err(IpamError::NoSuchPool(asking.pool.clone()));
        }
        if let Some((revision, record)) = seen.attachment {
            return self.own_attachment(asking, revision, record).await;
        }
        asking.replaced = Revision::ABSENT;
        // Also when an address that it is to keep no longer may have changed.
        let stale = |keep: &Keep| keep.revision != seen.kept || !keep.extras.compares.is_empty();
        if asking.keep.as_ref().is_some_and(stale) {
            return Ok(Step::Stale);
        }
        Ok(Step::Again)
    }

    /// The attachment exists already: it is this call's own, or an earlier life's.
    pub(super) async fn own_attachment(
        &self,
        asking: &mut Asking<'_>,
        revision: Revision,
        record: AttachmentRecord,
    ) -> Result<Step, IpamError> {
        if record.phase == Phase::Deleted {
            asking.replaced = revision;
            return Ok(Step::Again);
        }
        asking.replaced = Revision::ABSENT;
        match self.pass_on(asking, revision, &record).await? {
            PassedOn::Done(lease) => return Ok(Step::Done(lease)),
            PassedOn::Changed => {}
            PassedOn::Nothing => {
                // What it holds is not what is asked for: release, then start afresh.
                let id = &asking.request.attachment;
                match self.release(id, None, asking.now).await {
                    // Again: it looks first what has become of it.
                    Err(IpamError::Store(StoreError::OutcomeUnknown { .. })) => {
                        self.release(id, None, asking.now).await?
                    }
                    decided => decided?,
                };
            }
        }
        Ok(Step::Again)
    }

    /// Commits, and repeats the very same transaction for a while if its outcome is unknown.
    ///
    /// Once it is, no error but that one is told: the first sending may have arrived.
    pub(crate) async fn commit_surely(&self, txn: &Txn) -> Result<Outcome, StoreError> {
        let mut unknown_since = None;
        loop {
            match self.store.commit(txn).await {
                Err(StoreError::OutcomeUnknown { store, reason }) => {
                    let now = uptime_ms();
                    let since = *unknown_since.get_or_insert(now);
                    if now.saturating_sub(since) >= REPEAT_FOR_MS {
                        return Err(StoreError::OutcomeUnknown { store, reason });
                    }
                    tokio::time::sleep(REPEAT_PAUSE).await;
                }
                Err(error) if unknown_since.is_some() => {
                    return Err(StoreError::OutcomeUnknown {
                        store: "asked again".to_owned(),
                        reason: error.to_string(),
                    });
                }
                decided => return decided,
            }
        }
    }
}
