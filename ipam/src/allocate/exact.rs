//! An address that was asked for, and one that an earlier life of the attachment has.

use std::net::IpAddr;

use berth_store::{Compare, Outcome, Read, Revision, Store, Txn, Write};
use berth_types::{AddressRecord, AttachmentRecord, PoolRecord, Record as _, keys};

use super::{Asking, Step};
use crate::record::parse;
use crate::{Ipam, IpamError, Lease};

/// Whether an earlier life's address was passed on.
pub(super) enum TakeOver {
    /// It was.
    Done(Box<Lease>),
    /// There is none of this pool.
    Nothing,
    /// The records changed meanwhile.
    Changed,
}

impl TakeOver {
    fn with(lease: Option<Lease>) -> Self {
        lease.map_or(Self::Nothing, |lease| Self::Done(Box::new(lease)))
    }
}

impl<S: Store> Ipam<S> {
    /// Gives the address that was asked for, or says who has it.
    pub(super) async fn allocate_exact(
        &self,
        mut asking: Asking<'_>,
        address: IpAddr,
    ) -> Result<Lease, IpamError> {
        let request = asking.request;
        for _ in 0..super::ATTEMPTS {
            let pool = self.read_pool(request).await?;
            if !pool.1.is_usable(address) {
                return Err(asking.not_in_pool(address));
            }
            let reads = [
                Read::Get(keys::address(address).into()),
                Read::Get(keys::attachment(&request.attachment).into()),
            ];
            let answer = self.store.read(&reads).await?;
            if let Some((revision, record)) = parse::<AttachmentRecord>(&answer, 1)? {
                let step = self.own_attachment(&mut asking, revision, record).await?;
                if let Step::Done(lease) = step {
                    return Ok(*lease);
                }
                if asking.replaced == Revision::ABSENT {
                    continue;
                }
            }
            let known = parse::<AddressRecord>(&answer, 0)?;
            if let Some((_, record)) = &known {
                refuse_others(address, record)?;
            }
            let known = known.map(|(revision, record)| (revision, Some(record)));
            let step = self
                .claim_known(&mut asking, pool, (address, known))
                .await?;
            if let Step::Done(lease) = step {
                return Ok(*lease);
            }
        }
        Err(asking.contended())
    }

    /// Passes the address of the attachment's earlier life on to this one.
    ///
    /// There is nothing to pass on where it is not of this pool, or not the one asked for.
    pub(super) async fn take_over(
        &self,
        asking: &Asking<'_>,
        attached_at: Revision,
        attached: &AttachmentRecord,
    ) -> Result<TakeOver, IpamError> {
        let Asking {
            request,
            now,
            replaced: _,
        } = *asking;
        let [address] = attached.addresses.as_slice() else {
            return Ok(TakeOver::Nothing);
        };
        if request.exact.is_some_and(|exact| exact != *address) {
            return Ok(TakeOver::Nothing);
        }
        let pool_key = keys::pool(&request.pool);
        let address_key = keys::address(*address);
        let reads = [
            Read::Get(pool_key.into()),
            Read::Get(address_key.as_str().into()),
        ];
        let answer = self.store.read(&reads).await?;
        let (Some((_, pool)), Some((revision, record))) = (
            parse::<PoolRecord>(&answer, 0)?,
            parse::<AddressRecord>(&answer, 1)?,
        ) else {
            return Ok(TakeOver::Nothing);
        };
        let ours = record
            .holder
            .as_ref()
            .is_some_and(|h| h.attachment == request.attachment);
        if !ours || record.pool != request.pool {
            return Ok(TakeOver::Nothing);
        }
        if attached.incarnation == request.incarnation {
            return Ok(TakeOver::with(Lease::new(
                &pool, *address, revision, record,
            )));
        }
        let record = record.held_by(request.holder(*address, now));
        let attachment_key = keys::attachment(&request.attachment);
        let rewritten = request.record(&self.node.id, vec![*address]);
        let txn = Txn {
            compares: vec![
                Compare::at(attachment_key.as_str(), attached_at),
                Compare::at(address_key.as_str(), revision),
                Compare::absent(keys::CLOSED),
            ],
            writes: vec![
                Write::put(address_key, record.encode()),
                Write::put(attachment_key, rewritten.encode()),
            ],
            otherwise: Vec::new(),
        };
        match self.commit_surely(&txn).await? {
            Outcome::Committed(at) => {
                self.learn(&request.pool, |hint| {
                    hint.committed(*address, &request.attachment, at, None);
                });
                Ok(TakeOver::with(Lease::new(&pool, *address, at, record)))
            }
            // Somebody was faster, or a sending whose answer was lost: look again.
            Outcome::Refused(_) => Ok(TakeOver::Changed),
        }
    }
}

fn refuse_others(address: IpAddr, record: &AddressRecord) -> Result<(), IpamError> {
    if let Some(holder) = &record.holder {
        return Err(IpamError::Held {
            address,
            holder: Box::new(holder.clone()),
        });
    }
    if let Some(reserved_for) = &record.reserved_for {
        return Err(IpamError::Reserved {
            address,
            reserved_for: reserved_for.clone(),
        });
    }
    Ok(())
}
