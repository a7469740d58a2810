//! The common case: any free addresses, chosen by the hint, in one request.

use berth_store::Store;
use berth_types::{Block, PoolRecord, ReservationId};
use tracing::debug;

use super::ATTEMPTS;
use super::asking::{Asking, Given, Step};
use super::attempt::Attempt;
use super::txn::Ground;
use crate::clock::uptime_ms;
use crate::hint::{Choice, Hint, Pick};
use crate::{Ipam, IpamError};

/// What the hint, or a look into the store, leads to.
pub(super) enum Chosen {
    /// An attempt.
    Ready(Box<Attempt>),
    /// The pool keeps addresses for pods, and this pod's are to be looked up.
    KeptFor(ReservationId),
    /// Nothing that can be had as far as the hint knows; after a look, ask it again.
    Nothing,
}

impl<S: Store> Ipam<S> {
    /// Gives whatever is free.
    pub(super) async fn allocate_any(&self, asking: &mut Asking<'_>) -> Result<Given, IpamError> {
        for attempt in 0..ATTEMPTS {
            let mut chosen = self.choose(asking);
            if matches!(chosen, Chosen::Nothing) {
                chosen = self.look(asking).await?;
            }
            let ready = match chosen {
                Chosen::Ready(ready) => ready,
                Chosen::KeptFor(id) => return Ok(Given::KeptFor(id)),
                Chosen::Nothing => continue,
            };
            debug!(attempt, addresses = ?ready.addresses(), "claiming");
            match self.attempt(asking, *ready).await? {
                Step::Done(lease) => return Ok(Given::Lease(lease)),
                Step::Stale => return Ok(Given::Stale),
                Step::Again => {}
            }
        }
        Err(asking.contended())
    }

    /// Chooses by the hint and marks the addresses as taken; nothing when the hint knows none of
    /// some family, or cannot be kept.
    fn choose(&self, asking: &Asking<'_>) -> Chosen {
        let chosen = self.hint(asking.pool).update(|hint| {
            hint.untake(&asking.request.incarnation);
            // A pool that was seen closed to us may be open again: the store is asked.
            let open = |pool: &PoolRecord| asking.may_draw(pool, &self.node).is_ok();
            let Some(pool) = hint.pool.clone().filter(|(_, pool)| open(pool)) else {
                return Chosen::Nothing;
            };
            if let Some(id) = asking.to_be_kept(&pool.1) {
                return Chosen::KeptFor(id);
            }
            let Some((picks, claims)) = take(hint, asking, &pool.1) else {
                return Chosen::Nothing;
            };
            let ground = Ground::of(hint, pool);
            Chosen::Ready(Box::new(self.prepare(asking, ground, picks, claims)))
        });
        chosen.if_kept().unwrap_or(Chosen::Nothing)
    }
}

/// Takes an address of each family of the pool, with the blocks that are to be claimed for them.
fn take(
    hint: &mut Hint,
    asking: &Asking<'_>,
    pool: &PoolRecord,
) -> Option<(Vec<Pick>, Vec<Block>)> {
    let now_ms = uptime_ms();
    let (mut picks, mut claims) = (Vec::new(), Vec::new());
    for family in pool.families() {
        match hint.choose(asking.pool, family, now_ms) {
            Choice::Own(pick) => picks.push(pick),
            Choice::Claim(pick) => {
                claims.push(pick.block);
                picks.push(pick);
            }
            Choice::Look => return None,
        }
    }
    for block in &claims {
        hint.assume(*block);
    }
    for pick in &picks {
        hint.take(pick.address, &asking.request.incarnation, now_ms);
    }
    Some((picks, claims))
}
