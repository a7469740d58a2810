//! Giving addresses: choose by the hint, ask the store in one transaction, learn, repeat.
//!
//! - `any` is the common case: whatever is free, in one request.
//! - `look` and `scan` look into the store first, when the hint knows nothing.
//! - `fixed` gives the very addresses that somebody has a right to, `sticky` and `workload` find
//!   out which those are.
//! - `pass_on` hands addresses from an earlier life of the attachment, or from an earlier sandbox of
//!   the pod, to this one.
//! - `attempt` sends the transaction that `txn` makes, and learns from a refusal.

mod any;
mod asking;
mod attempt;
mod fixed;
mod judge;
mod look;
mod pass_on;
mod scan;
mod set_back;
mod sticky;
#[cfg(test)]
mod tests;
mod txn;
mod workload;

use std::net::IpAddr;

use berth_store::Store;
use berth_types::PoolName;
use jiff::Timestamp;

use crate::{Evidence, Ipam, IpamError, Lease, Request};
use asking::{Asking, Given};

pub(crate) use txn::block_range;

/// How many transactions one allocation may cost before it gives up.
const ATTEMPTS: u32 = 100;

impl<S: Store> Ipam<S> {
    /// Gives the attachment one address of each family of its pool, all or none, and writes down
    /// that it has them.
    ///
    /// One request to the store in the common case. Asking again with the same incarnation gives
    /// the same addresses; an attachment that lived before under the same id passes its addresses
    /// on. `evidence` is asked only where a fixed or doubtful address changes hands.
    ///
    /// # Errors
    /// [`IpamError`]; then nothing is held by this incarnation, unless the error is an unknown
    /// outcome: release the attachment, as after any failed ADD.
    pub async fn allocate(
        &self,
        request: &Request,
        evidence: &dyn Evidence,
        now: Timestamp,
    ) -> Result<Lease, IpamError> {
        let held_back = self.hold_back(&request.attachment)?;
        // A container that is started again keeps its addresses, also when their release was made
        // before it could be held back.
        let former = |pool: &PoolName| {
            let notes = held_back.as_ref();
            notes.map(|n| n.addresses_of(pool)).unwrap_or_default()
        };
        let result = match &request.reservation {
            Some(id) => self.allocate_reserved(request, id, evidence, now).await,
            None => self.allocate_in_turn(request, former, evidence, now).await,
        };
        if result.is_err() {
            for pool in &request.pools {
                self.learn(pool, |hint| hint.untake(&request.incarnation));
            }
        }
        let lease = result?;
        if let Some(notes) = held_back {
            notes.forget();
        }
        Ok(lease)
    }

    /// Tries the pools one after the other until one of them gives.
    async fn allocate_in_turn(
        &self,
        request: &Request,
        former: impl Fn(&PoolName) -> Vec<IpAddr>,
        evidence: &dyn Evidence,
        now: Timestamp,
    ) -> Result<Lease, IpamError> {
        let mut refusals = Vec::new();
        for pool in &request.pools {
            let asking = Asking::new(request, pool, evidence, now);
            match self.allocate_from(asking, &former(pool)).await {
                Err(error) if error.is_about_pool() => refusals.push(error),
                decided => return decided,
            }
        }
        Err(in_one(refusals))
    }

    async fn allocate_from(
        &self,
        mut asking: Asking<'_>,
        former: &[IpAddr],
    ) -> Result<Lease, IpamError> {
        let request = asking.request;
        let mut given = if !request.exact.is_empty() {
            self.allocate_fixed(&mut asking, &request.exact).await?
        } else if let Some(id) = asking.explicitly_sticky() {
            Given::KeptFor(id)
        } else {
            self.allocate_former_or_any(&mut asking, former).await?
        };
        for _ in 0..ATTEMPTS {
            let id = match given {
                Given::Lease(lease) => return Ok(*lease),
                Given::KeptFor(id) => id,
                Given::Stale => match asking.keep.take() {
                    Some(keep) => keep.id,
                    None => break,
                },
            };
            given = self.allocate_sticky(&mut asking, id).await?;
        }
        Err(asking.contended())
    }

    /// The addresses that a release was held back of, or else any.
    async fn allocate_former_or_any(
        &self,
        asking: &mut Asking<'_>,
        former: &[IpAddr],
    ) -> Result<Given, IpamError> {
        if !former.is_empty() {
            match self.allocate_fixed(asking, former).await {
                Err(error) if error.is_about_address() => {}
                decided => return decided,
            }
        }
        self.allocate_any(asking).await
    }
}

/// One error for all pools that were tried.
///
/// Where some were used up, how each of those stands; else the first that says more than that an
/// address is not of its pool.
fn in_one(mut refusals: Vec<IpamError>) -> IpamError {
    let mut counts = Vec::new();
    for refusal in &refusals {
        if let IpamError::Exhausted { pools } = refusal {
            counts.extend(pools.iter().cloned());
        }
    }
    if counts.is_empty() && !refusals.is_empty() {
        let telling = |error: &IpamError| !matches!(error, IpamError::NotInPool { .. });
        let first = refusals.iter().position(telling).unwrap_or(0);
        return refusals.swap_remove(first);
    }
    IpamError::Exhausted { pools: counts }
}
