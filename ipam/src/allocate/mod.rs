//! Giving an address: choose by the hint, ask the store in one transaction, learn, repeat.

mod exact;
mod observe;
mod txn;

use std::net::IpAddr;
use std::time::Duration;

use berth_store::{Answer, Outcome, Revision, Store, StoreError, Txn};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, Block, Phase, PoolRecord, PoolState,
};
use jiff::Timestamp;
use tracing::debug;

use crate::fault::checkpoint;
use crate::hint::{Choice, Pick};
use crate::{Ipam, IpamError, Lease, Request};
use exact::TakeOver;
use txn::{Ground, Owner};

/// How many transactions one allocation may cost before it gives up.
const ATTEMPTS: u32 = 100;
/// For how long a transaction whose outcome is unknown is sent again, in milliseconds; long enough
/// for a cluster to choose a new leader.
const REPEAT_FOR_MS: u64 = 5000;
/// How long it waits before each repeat.
const REPEAT_PAUSE: Duration = Duration::from_millis(20);

/// One allocation under way.
struct Asking<'a> {
    request: &'a Request,
    now: Timestamp,
    /// The revision of the attachment's record that is replaced; [`Revision::ABSENT`] for none.
    replaced: Revision,
}

/// What one attempt led to.
enum Step {
    /// The address is ours.
    Done(Box<Lease>),
    /// Something was learnt; choose again.
    Again,
}

/// An attempt, ready to be sent.
struct Attempt {
    pick: Pick,
    pool: PoolRecord,
    /// The highest revision that had been seen of the store.
    high: Revision,
    /// The attachment that the store must still hold.
    witness: Option<(AttachmentId, Revision)>,
    /// The block that is claimed with it.
    claims: Option<Block>,
    txn: Txn,
    record: AddressRecord,
}

impl<S: Store> Ipam<S> {
    /// Gives the attachment an address, and writes down that it has it.
    ///
    /// One request to the store in the common case. Asking again with the same incarnation gives
    /// the same address; an attachment that lived before under the same id passes its address on.
    ///
    /// # Errors
    /// [`IpamError`]; then nothing is held by this incarnation, unless the error is an unknown
    /// outcome: release the attachment, as after any failed ADD.
    pub async fn allocate(&self, request: &Request, now: Timestamp) -> Result<Lease, IpamError> {
        let held_back = self.hold_back(&request.attachment)?;
        // A container that is started again keeps its address, also when its release was made
        // before it could be held back.
        let former = held_back
            .as_ref()
            .and_then(|notes| notes.address_of(&request.pool));
        let result = match request.exact.or(former) {
            Some(address) => {
                self.allocate_exact(Asking::new(request, now), address)
                    .await
            }
            None => self.allocate_any(Asking::new(request, now)).await,
        };
        let result = match result {
            Err(error) if request.exact.is_none() && error.is_about_address() => {
                self.allocate_any(Asking::new(request, now)).await
            }
            result => result,
        };
        if result.is_err() {
            self.learn(&request.pool, |hint| hint.untake(&request.incarnation));
        }
        let lease = result?;
        if let Some(notes) = held_back {
            notes.forget();
        }
        Ok(lease)
    }

    async fn allocate_any(&self, mut asking: Asking<'_>) -> Result<Lease, IpamError> {
        for attempt in 0..ATTEMPTS {
            let Some(ready) = self.choose(&asking) else {
                if let Some(lease) = self.look(&mut asking).await? {
                    return Ok(*lease);
                }
                continue;
            };
            debug!(attempt, address = %ready.pick.address, "claiming");
            if let Step::Done(lease) = self.attempt(&mut asking, ready).await? {
                return Ok(*lease);
            }
        }
        Err(asking.contended())
    }

    /// Chooses by the hint and marks the address as taken; `None` when the hint knows none, or
    /// cannot be kept.
    fn choose(&self, asking: &Asking<'_>) -> Option<Attempt> {
        let taken_at = self.monotonic_ms();
        let request = asking.request;
        let chosen = self.hint(&request.pool).update(|hint| {
            hint.untake(&request.incarnation);
            let (pick, claims) = match hint.choose(&request.pool, taken_at) {
                Choice::Own(pick) => (pick, false),
                Choice::Claim(pick) => {
                    hint.assume(pick.block);
                    (pick, true)
                }
                Choice::Look => return None,
            };
            // A pool that was seen draining may give again: the store is asked.
            let active = |(_, pool): &(_, PoolRecord)| may_allocate(request, pool).is_ok();
            let pool = hint.pool.clone().filter(active)?;
            hint.take(pick.address, &request.incarnation, taken_at);
            let ground = Ground {
                pool,
                witness: hint.witness().cloned(),
                high: hint.high,
            };
            Some(self.prepare(asking, &ground, pick, claims))
        });
        chosen.if_kept().flatten()
    }

    fn prepare(&self, asking: &Asking<'_>, ground: &Ground, pick: Pick, claims: bool) -> Attempt {
        let record = pick
            .record
            .held_by(asking.request.holder(pick.address, asking.now));
        let claims = claims.then_some(pick.block);
        let pool = ground.pool.1.clone();
        let txn = txn::allocate(asking, &self.node, ground, (&pick, claims, &record));
        Attempt {
            pick,
            pool,
            high: ground.high,
            witness: ground.witness.clone(),
            claims,
            txn,
            record,
        }
    }

    /// Sends an attempt and learns from the answer.
    async fn attempt(&self, asking: &mut Asking<'_>, ready: Attempt) -> Result<Step, IpamError> {
        checkpoint("ipam.claim.before");
        let outcome = self.commit_surely(&ready.txn).await?;
        checkpoint("ipam.claim.after");
        let request = asking.request;
        match outcome {
            Outcome::Committed(revision) => {
                let Attempt {
                    pick,
                    pool,
                    high: _,
                    witness: _,
                    claims,
                    txn: _,
                    record,
                } = ready;
                self.learn(&request.pool, |hint| {
                    hint.untake(&request.incarnation);
                    hint.committed(pick.address, &request.attachment, revision, claims);
                });
                let lease = Lease::new(&pool, pick.address, revision, record);
                let lease = lease.ok_or_else(|| asking.not_in_pool(pick.address))?;
                Ok(Step::Done(Box::new(lease)))
            }
            Outcome::Refused(answer) => self.refused(asking, &ready, &answer).await,
        }
    }

    /// Learns why the store refused; finds the address when an earlier attempt had won it.
    async fn refused(
        &self,
        asking: &mut Asking<'_>,
        ready: &Attempt,
        answer: &Answer,
    ) -> Result<Step, IpamError> {
        let request = asking.request;
        not_set_back(ready.high, answer.revision)?;
        let seen = txn::read_refusal(answer, ready.pick.block)?;
        if let Some(reason) = seen.closed {
            return Err(IpamError::Closed { reason });
        }
        let gone = seen.pool.is_none();
        self.learn(&request.pool, |hint| {
            match seen.pool {
                Some((revision, pool)) => hint.learn_pool(revision, pool),
                None => hint.pool = None,
            }
            if let Some((id, revision)) = &ready.witness
                && seen.witness != Some(*revision)
            {
                hint.drop_witness(id);
            }
            let block = ready.pick.block;
            match seen.block_owner {
                Owner::Node(owner) if owner == self.node.name => {
                    hint.learn_block(block, true, answer.revision, seen.slots);
                }
                Owner::Nobody => {
                    hint.learn_block(block, false, answer.revision, seen.slots);
                    hint.disown(block);
                }
                Owner::Node(_) | Owner::Other => hint.forget_block(block.first),
            }
        });
        if gone {
            return Err(IpamError::NoSuchPool(request.pool.clone()));
        }
        if let Some((revision, record)) = seen.attachment {
            return self.own_attachment(asking, revision, record).await;
        }
        asking.replaced = Revision::ABSENT;
        Ok(Step::Again)
    }

    /// The attachment exists already: it is this call's own, or an earlier life's.
    async fn own_attachment(
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
        match self.take_over(asking, revision, &record).await? {
            TakeOver::Done(lease) => return Ok(Step::Done(lease)),
            TakeOver::Changed => {}
            TakeOver::Nothing => {
                // It holds nothing of this pool: release, then start afresh.
                let id = &asking.request.attachment;
                self.release(id, None, asking.now).await?;
            }
        }
        Ok(Step::Again)
    }

    /// Commits, and repeats the very same transaction for a while if its outcome is unknown.
    ///
    /// Once it is, no error but that one is told: the first sending may have arrived.
    async fn commit_surely(&self, txn: &Txn) -> Result<Outcome, StoreError> {
        let mut unknown_since = None;
        loop {
            match self.store.commit(txn).await {
                Err(StoreError::OutcomeUnknown { store, reason }) => {
                    let now = self.monotonic_ms();
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

/// Whether the store still has all that had been seen of it when it was asked.
fn not_set_back(seen: Revision, now: Revision) -> Result<(), IpamError> {
    if now < seen {
        return Err(IpamError::SetBack { seen, now });
    }
    Ok(())
}

/// Whether the pool hands out addresses at all.
fn may_allocate(request: &Request, pool: &PoolRecord) -> Result<(), IpamError> {
    if pool.sticky || !pool.namespaces.is_empty() || !pool.nodes.is_empty() {
        return Err(IpamError::NotHonoured(request.pool.clone()));
    }
    match pool.state {
        PoolState::Active => Ok(()),
        state @ PoolState::Draining => Err(IpamError::PoolClosed {
            pool: request.pool.clone(),
            state,
        }),
    }
}

impl<'a> Asking<'a> {
    const fn new(request: &'a Request, now: Timestamp) -> Self {
        Self {
            request,
            now,
            replaced: Revision::ABSENT,
        }
    }

    fn not_in_pool(&self, address: IpAddr) -> IpamError {
        IpamError::NotInPool {
            address,
            pool: self.request.pool.clone(),
        }
    }

    fn contended(&self) -> IpamError {
        IpamError::Contended {
            pool: self.request.pool.clone(),
            attempts: ATTEMPTS,
        }
    }
}
