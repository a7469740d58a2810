//! Addresses that are asked for by name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Answer, Compare, Outcome, Read, Revision, Store, Txn, Write};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, Family, Holder, PoolRecord, Record as _,
    SchemaVersion, WantedRecord, keys,
};
use tracing::warn;

use super::ATTEMPTS;
use super::asking::{Asking, Extras, Given, Step};
use super::judge::{Judged, judge};
use super::pass_on::Earlier;
use super::scan::{KnownAddresses, pick_known};
use crate::record::{one, parse};
use crate::{Ipam, IpamError, Probing};

impl<S: Store> Ipam<S> {
    /// Gives the very addresses that were asked for, with any one of the families that were not;
    /// or says who has them.
    pub(super) async fn allocate_fixed(
        &self,
        asking: &mut Asking<'_>,
        addresses: &[IpAddr],
    ) -> Result<Given, IpamError> {
        for _ in 0..ATTEMPTS {
            let pool = self.read_pool(asking).await?;
            let unusable = addresses.iter().find(|a| !pool.1.is_usable(**a));
            if let Some(address) = unusable {
                return Err(asking.not_in_pool(*address));
            }
            let answer = self.store.read(&questions(asking, addresses)).await?;
            if let Some((revision, record)) = parse::<AttachmentRecord>(&answer, 0)? {
                if let Step::Done(lease) = self.own_attachment(asking, revision, record).await? {
                    return Ok(Given::Lease(lease));
                }
                if asking.replaced == Revision::ABSENT {
                    continue;
                }
            }
            let (known, extras) = self.consider(asking, addresses, &answer).await?;
            let found = (addresses, known, extras);
            match self.claim_fixed(asking, pool, found).await? {
                Step::Done(lease) => return Ok(Given::Lease(lease)),
                Step::Stale => return Ok(Given::Stale),
                Step::Again => {}
            }
        }
        Err(asking.contended())
    }

    /// Whether every address can be had, and what else must change for it.
    async fn consider(
        &self,
        asking: &Asking<'_>,
        addresses: &[IpAddr],
        answer: &Answer,
    ) -> Result<(KnownAddresses, Extras), IpamError> {
        let (mut known, mut extras) = (KnownAddresses::new(), Extras::default());
        let mut earlier: BTreeMap<AttachmentId, Earlier> = BTreeMap::new();
        for (n, address) in addresses.iter().enumerate() {
            let is_wanted = one(answer, 2 + 2 * n).is_some();
            if let Some((revision, mut record)) = parse::<AddressRecord>(answer, 1 + 2 * n)? {
                let seen = (*address, revision, &record);
                let earlier_sandbox = self.consider_one(asking, seen).await?;
                // Whoever waited for it takes another's word that its holder is gone.
                let takeover = is_wanted && record.holder.is_none();
                record.unproven |= takeover && asking.evidence.probing() == Probing::Takeovers;
                if let Some(holder) = earlier_sandbox {
                    let sandbox = earlier.entry(holder.attachment.clone());
                    let sandbox = sandbox.or_insert_with(|| Earlier::new(holder));
                    sandbox.addresses.push((*address, revision));
                }
                known.insert(*address, (revision, Some(record)));
            }
            if is_wanted {
                // Whoever gets the address, it is not waited for any more.
                extras.writes.push(Write::delete(keys::wanted(*address)));
            }
        }
        for sandbox in earlier.into_values() {
            extras.extend(self.end_earlier_sandbox(asking, sandbox).await?);
        }
        Ok((known, extras))
    }

    /// Whether an address can be had; the earlier sandbox that is to be ended for it.
    async fn consider_one(
        &self,
        asking: &Asking<'_>,
        (address, revision, record): (IpAddr, Revision, &AddressRecord),
    ) -> Result<Option<Box<Holder>>, IpamError> {
        let kept = asking.keep.as_ref().map(|keep| &keep.id);
        let right = asking.request.reservation.as_ref().or(kept);
        match judge(record, asking.request, &self.node.name, right) {
            Judged::Doubtful if asking.evidence.probing() == Probing::Nothing => {
                Err(IpamError::Doubtful { address })
            }
            Judged::Free | Judged::Doubtful => Ok(None),
            Judged::EarlierSandbox(holder) => Ok(Some(holder)),
            Judged::NotProvenGone(holder) => {
                let reason = format!("its sandbox on {} may still live", holder.attachment.node);
                let seen = (address, revision);
                Err(self.wait_for(asking, seen, holder, reason).await)
            }
            Judged::Held(holder) => Err(IpamError::Held { address, holder }),
            Judged::Reserved(reserved_for) => Err(IpamError::Reserved {
                address,
                reserved_for,
            }),
        }
    }

    /// Claims the addresses, and any of each family of the pool that has none among them.
    async fn claim_fixed(
        &self,
        asking: &mut Asking<'_>,
        pool: (Revision, PoolRecord),
        (addresses, known, extras): (&[IpAddr], KnownAddresses, Extras),
    ) -> Result<Step, IpamError> {
        let picked = |address: &IpAddr| pick_known(asking, &pool.1, &known, *address);
        let mut picks: Vec<_> = addresses.iter().map(picked).collect();
        for family in pool.1.families() {
            if addresses.iter().all(|a| Family::of(*a) != family) {
                let mut known = self.known_addresses(&pool.1).await?;
                picks.push(self.scan_for(asking, (&pool.1, &mut known), family).await?);
            }
        }
        picks.sort_by_key(|pick| pick.address);
        let ground = self.ground(asking, &pool);
        let ready = self.prepare(asking, ground, picks, Vec::new());
        self.attempt(asking, ready.with(extras)).await
    }

    /// Writes down who waits for the address, so that whoever finds its holder gone gives it up.
    pub(super) async fn wait_for(
        &self,
        asking: &Asking<'_>,
        (address, revision): (IpAddr, Revision),
        holder: Box<Holder>,
        reason: String,
    ) -> IpamError {
        let wanted = WantedRecord {
            v: SchemaVersion,
            attachment: asking.request.attachment.clone(),
            pod: asking.request.pod.clone(),
            holder: holder.attachment.clone(),
            since: asking.now,
        };
        let txn = Txn {
            compares: vec![Compare::at(keys::address(address), revision)],
            writes: vec![Write::put(keys::wanted(address), wanted.encode())],
            otherwise: Vec::new(),
        };
        match self.store.commit(&txn).await {
            // Refused: it has changed hands, and the next try sees that.
            Ok(Outcome::Committed(_) | Outcome::Refused(_)) => {}
            Err(error) => warn!(%address, %error, "the wish for it could not be written down"),
        }
        IpamError::NotProvenGone {
            address,
            holder,
            reason,
        }
    }
}

/// The attachment; of each address its record, and whether somebody waits for it.
fn questions(asking: &Asking<'_>, addresses: &[IpAddr]) -> Vec<Read> {
    let mut reads = vec![Read::Get(
        keys::attachment(&asking.request.attachment).into(),
    )];
    for address in addresses {
        reads.push(Read::Get(keys::address(*address).into()));
        reads.push(Read::Get(keys::wanted(*address).into()));
    }
    reads
}
