//! Addresses that change hands without being free: from an earlier life of the attachment, or from
//! an earlier sandbox of the same pod.

use std::iter;
use std::net::IpAddr;

use berth_store::{Answer, Compare, Outcome, Read, Revision, Store, Txn, Write};
use berth_types::{
    AddressRecord, AttachmentRecord, Family, Holder, PoolName, PoolRecord, Record as _, keys,
};

use super::asking::{Asking, Extras};
use crate::history::What;
use crate::record::parse;
use crate::{Ended, Ipam, IpamError, Lease};

/// Whether an earlier life's addresses were passed on.
pub(super) enum PassedOn {
    /// They were.
    Done(Box<Lease>),
    /// They are not the ones that are asked for.
    Nothing,
    /// The records changed meanwhile.
    Changed,
}

/// An earlier sandbox of the same pod, with those of its addresses that are to be taken.
pub(super) struct Earlier {
    holder: Box<Holder>,
    pub(super) addresses: Vec<(IpAddr, Revision)>,
}

impl Earlier {
    pub(super) const fn new(holder: Box<Holder>) -> Self {
        Self {
            holder,
            addresses: Vec::new(),
        }
    }
}

/// What an earlier life has, when all of it is of one pool and still its own.
struct Estate {
    name: PoolName,
    pool: PoolRecord,
    records: Vec<Stored>,
}

/// An address with its record.
type Stored = (IpAddr, Revision, AddressRecord);

impl<S: Store> Ipam<S> {
    /// Passes the addresses of the attachment's earlier life on to this one.
    ///
    /// All or none: there is nothing to pass on where they are not of a pool that is asked for, not
    /// the very ones that are, not of each of the pool's families, or kept for somebody else.
    pub(super) async fn pass_on(
        &self,
        asking: &Asking<'_>,
        attached_at: Revision,
        attached: &AttachmentRecord,
    ) -> Result<PassedOn, IpamError> {
        let request = asking.request;
        let Some(Estate {
            name,
            pool,
            records,
        }) = self.estate(asking, &attached.addresses).await?
        else {
            return Ok(PassedOn::Nothing);
        };
        let lease = |records, revision| {
            let lease = Lease::new(&pool, records, revision);
            lease.map_or(PassedOn::Nothing, |lease| PassedOn::Done(Box::new(lease)))
        };
        if attached.incarnation == request.incarnation {
            let written_at = records.iter().map(|(_, at, _)| *at).max();
            let records = records.into_iter().map(|(a, _, r)| (a, r)).collect();
            return Ok(lease(records, written_at.unwrap_or(attached_at)));
        }
        let kept_for = records.iter().map(|(_, _, r)| r.reserved_for.as_ref());
        if !asking.has_right_to(kept_for) {
            return Ok(PassedOn::Nothing);
        }
        let holder = request.holder(&attached.addresses, asking.now);
        let attachment_key = keys::attachment(&request.attachment);
        let rewritten = request.record(&self.node.id, attached.addresses.clone());
        let mut txn = Txn {
            compares: vec![
                Compare::at(attachment_key.as_str(), attached_at),
                Compare::absent(keys::CLOSED),
            ],
            writes: vec![Write::put(attachment_key, rewritten.encode())],
            otherwise: Vec::new(),
        };
        let mut passed_on: Vec<(IpAddr, AddressRecord)> = Vec::new();
        for (address, revision, record) in records {
            let record = inherited(&record, holder.clone());
            let key = keys::address(address);
            txn.compares.push(Compare::at(key.as_str(), revision));
            txn.writes.push(Write::put(key, record.encode()));
            passed_on.push((address, record));
        }
        match self.commit_surely(&txn).await? {
            Outcome::Committed(at) => {
                self.learn(&name, |hint| {
                    hint.committed(&attached.addresses, &request.attachment, at, &[]);
                });
                for (address, record) in &passed_on {
                    self.write_down(What::PassedOn, (*address, record), at, asking.now);
                }
                Ok(lease(passed_on, at))
            }
            // Somebody was faster, or a sending whose answer was lost: look again.
            Outcome::Refused(_) => Ok(PassedOn::Changed),
        }
    }

    /// What the attachment's earlier life has, if it is what is asked for.
    async fn estate(
        &self,
        asking: &Asking<'_>,
        addresses: &[IpAddr],
    ) -> Result<Option<Estate>, IpamError> {
        let request = asking.request;
        if addresses.is_empty() || !request.exact.iter().all(|exact| addresses.contains(exact)) {
            return Ok(None);
        }
        let mut reads: Vec<_> = addresses
            .iter()
            .map(|a| Read::Get(keys::address(*a).into()))
            .collect();
        // It may be of another pool of the list than the one that is being tried.
        let others = request.pools.iter().filter(|pool| *pool != asking.pool);
        let pools: Vec<_> = iter::once(asking.pool).chain(others).collect();
        reads.extend(pools.iter().map(|pool| Read::Get(keys::pool(pool).into())));
        let answer = self.store.read(&reads).await?;
        let Some((name, records)) = own_records(asking, addresses, &answer)? else {
            return Ok(None);
        };
        let Some(n) = pools.iter().position(|pool| **pool == name) else {
            return Ok(None);
        };
        let Some((_, pool)) = parse::<PoolRecord>(&answer, addresses.len() + n)? else {
            return Ok(None);
        };
        let of_set = |(_, _, record): &Stored| record.reserved_for == request.reservation;
        if request.reservation.is_some() && !records.iter().any(of_set) {
            return Ok(None);
        }
        let covers = |family: &Family| addresses.iter().any(|a| Family::of(*a) == *family);
        Ok(pool.families().iter().all(covers).then_some(Estate {
            name,
            pool,
            records,
        }))
    }

    /// Ends an earlier sandbox of the same pod on this node, and says what must change for its
    /// addresses to be taken.
    ///
    /// # Errors
    /// [`IpamError::NotProvenGone`] where it could not be ended.
    pub(super) async fn end_earlier_sandbox(
        &self,
        asking: &Asking<'_>,
        sandbox: Earlier,
    ) -> Result<Extras, IpamError> {
        let Earlier { holder, addresses } = sandbox;
        let key = keys::attachment(&holder.attachment);
        let answer = self.store.read(&[Read::Get(key.as_str().into())]).await?;
        let found = parse::<AttachmentRecord>(&answer, 0)?;
        let record = found.as_ref().map(|(_, record)| record);
        let ended = if record.is_some_and(|record| record.node_id != self.node.id) {
            let reason = "another machine of that name made it".to_owned();
            Ended::Stands { reason }
        } else {
            let netns = record.and_then(|record| record.netns.as_ref());
            let evidence = asking.evidence;
            evidence.end_sandbox(&holder.attachment, &holder.incarnation, netns)
        };
        if let (Ended::Stands { reason }, Some(first)) = (ended, addresses.first()) {
            return Err(self.wait_for(asking, *first, holder, reason).await);
        }
        let revision = found.as_ref().map_or(Revision::ABSENT, |(at, _)| *at);
        let taken: Vec<_> = addresses.iter().map(|(address, _)| *address).collect();
        let rest = record.map(|record| without(record, &taken, key.clone()));
        Ok(Extras {
            compares: vec![Compare::at(key, revision)],
            writes: rest.into_iter().collect(),
        })
    }
}

/// The record once its holder's next life has the address.
///
/// It was never free, so the same pod has it since its earlier life; of another pod the history
/// says until when it had it.
fn inherited(record: &AddressRecord, holder: Holder) -> AddressRecord {
    match &record.holder {
        Some(former) if former.pod == holder.pod => record.held_by(Holder {
            since: former.since,
            ..holder
        }),
        _ => record.released(holder.since).held_by(holder),
    }
}

/// The records of the addresses, when all of them are the attachment's own and of one pool.
fn own_records(
    asking: &Asking<'_>,
    addresses: &[IpAddr],
    answer: &Answer,
) -> Result<Option<(PoolName, Vec<Stored>)>, IpamError> {
    let mut records = Vec::new();
    for (n, address) in addresses.iter().enumerate() {
        let found = parse::<AddressRecord>(answer, n)?;
        let is_own = |(_, record): &(Revision, AddressRecord)| {
            let holder = record.holder.as_ref();
            holder.is_some_and(|h| h.attachment == asking.request.attachment)
        };
        let Some((revision, record)) = found.filter(is_own) else {
            return Ok(None);
        };
        records.push((*address, revision, record));
    }
    let pool = records.first().map(|(_, _, record)| record.pool.clone());
    let of_one = |pool: &PoolName| records.iter().all(|(_, _, r)| r.pool == *pool);
    Ok(pool.filter(of_one).map(|pool| (pool, records)))
}

/// The attachment without some of its addresses; it goes with the last of them.
fn without(record: &AttachmentRecord, taken: &[IpAddr], key: String) -> Write {
    let addresses = record.addresses.iter().copied();
    let left: Vec<_> = addresses.filter(|a| !taken.contains(a)).collect();
    if left.is_empty() {
        return Write::delete(key);
    }
    let record = AttachmentRecord {
        addresses: left,
        ..record.clone()
    };
    Write::put(key, record.encode())
}
