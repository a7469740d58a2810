//! Giving an address back: one guarded transaction, or a note for later.

mod block;
mod held_back;
mod journal;
mod late;
#[cfg(test)]
mod tests;
mod unfinished;

use std::net::IpAddr;

use berth_store::{Answer, Compare, Outcome, Read, Revision, Store, StoreError, Txn, Write};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, Incarnation, LocalAttachment, NodeId, Phase,
    Record as _, keys,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::fault::checkpoint;
use crate::hint::Hint;
use crate::history::What;
use crate::record::parse;
use crate::{Ipam, IpamError};

pub use journal::Drained;
pub use unfinished::Scope;

/// How often a release is tried against a store that changes under it.
const ATTEMPTS: u32 = 16;

/// What a node knows of an attachment it wants to give up.
///
/// With the revision, the release is one request. The incarnation keeps a release that comes late
/// from touching a later life of the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Which life.
    pub incarnation: Incarnation,
    /// The revision that wrote attachment and addresses, when known.
    pub revision: Option<Revision>,
    /// The addresses, and their records at that revision.
    pub addresses: Vec<(IpAddr, AddressRecord)>,
}

impl Known {
    /// What the node's own record file says.
    pub fn of(local: &LocalAttachment) -> Self {
        let addresses = local.addresses.iter();
        Self {
            incarnation: local.incarnation.clone(),
            revision: local.revision.map(Revision),
            addresses: addresses
                .filter_map(|a| Some((a.cidr.ip(), a.record.clone()?)))
                .collect(),
        }
    }

    /// A life of which only its number is known: its ADD did not finish.
    pub const fn unfinished(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            revision: None,
            addresses: Vec::new(),
        }
    }
}

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// What this life of the attachment held is free.
    Freed {
        /// The addresses.
        addresses: Vec<IpAddr>,
        /// Which life.
        incarnation: Incarnation,
    },
    /// There was nothing of ours to free.
    Nothing,
}

impl Released {
    /// Whether it was that life's.
    fn is_of(&self, incarnation: &Incarnation) -> bool {
        matches!(self, Self::Freed { incarnation: freed, .. } if freed == incarnation)
    }
}

/// Which lives of an attachment a release may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lives<'a> {
    /// Whichever there is.
    Any,
    /// That one.
    One(&'a Incarnation),
    /// Those whose record the store had at that revision already.
    UpTo(Revision),
    /// That one, and those.
    OneOrUpTo(&'a Incarnation, Revision),
}

/// What the store holds of an attachment, with revisions.
#[derive(Debug)]
struct Standing {
    attachment: Option<(Revision, AttachmentRecord)>,
    addresses: Vec<(IpAddr, Revision, AddressRecord)>,
}

impl<S: Store> Ipam<S> {
    /// Gives up whatever the attachment holds, and its record, whichever life of it that is.
    ///
    /// With `memory`, in one request when the store still agrees. What is absent or another's
    /// counts as done.
    ///
    /// # Errors
    /// [`IpamError`]; the release is then still to be made.
    pub async fn release(
        &self,
        id: &AttachmentId,
        memory: Option<&Known>,
        now: Timestamp,
    ) -> Result<Released, IpamError> {
        self.release_where(id, memory, Lives::Any, now).await
    }

    /// As [`Ipam::release`], but only the life that `memory` names: a later one is not touched.
    ///
    /// # Errors
    /// [`IpamError`]; the release is then still to be made.
    pub async fn release_only(
        &self,
        id: &AttachmentId,
        memory: &Known,
        now: Timestamp,
    ) -> Result<Released, IpamError> {
        let lives = Lives::One(&memory.incarnation);
        self.release_where(id, Some(memory), lives, now).await
    }

    async fn release_where(
        &self,
        id: &AttachmentId,
        memory: Option<&Known>,
        lives: Lives<'_>,
        now: Timestamp,
    ) -> Result<Released, IpamError> {
        self.expect_no_more(id, memory);
        let late = self.expects_late(id)?;
        let mut standing = memory.and_then(|memory| self.standing_by_memory(id, memory));
        for _ in 0..ATTEMPTS {
            let seen = match standing.take() {
                Some(seen) => seen,
                None => self.standing(id).await?,
            };
            let Some(mut plan) = plan((id, &self.node.id), lives, &seen, now) else {
                return Ok(Released::Nothing);
            };
            if late {
                plan.leave(id, &self.tombstone(&plan.incarnation));
            }
            checkpoint("ipam.release.before");
            let outcome = self.store.commit(&plan.txn).await?;
            checkpoint("ipam.release.after");
            if let Outcome::Committed(revision) = outcome {
                return Ok(self.learn_release(id, plan, revision, now).await);
            }
        }
        Err(changing(id))
    }

    async fn learn_release(
        &self,
        id: &AttachmentId,
        plan: Plan,
        revision: Revision,
        now: Timestamp,
    ) -> Released {
        let Plan {
            txn: _,
            released,
            held,
            incarnation,
        } = plan;
        let clock = Clock::at(now);
        for (address, record) in &released {
            let change = |hint: &mut Hint| {
                hint.drop_witness(id);
                hint.released(*address, revision, record, clock);
                hint.idle_block(clock.uptime_ms)
            };
            let idle = self.hint(&record.pool).update(change).anyhow();
            if let Some(block) = idle {
                self.give_back(&record.pool, block).await;
            }
        }
        for (address, held) in &held {
            self.write_down(What::Released, (*address, held), revision, now);
        }
        let addresses = released.into_iter().map(|(address, _)| address).collect();
        Released::Freed {
            addresses,
            incarnation,
        }
    }

    /// Releases now, or notes the release on disk when the store is away or refuses.
    ///
    /// # Errors
    /// [`IpamError`] when neither was possible.
    pub async fn release_or_journal(
        &self,
        id: &AttachmentId,
        known: Option<&Known>,
        now: Timestamp,
    ) -> Result<Option<Released>, IpamError> {
        let released = match known {
            // Its ADD did not finish.
            Some(Known {
                incarnation,
                revision: None,
                ..
            }) => {
                self.release_unfinished(id, incarnation, Scope::Attachment, now)
                    .await
            }
            known => self.release(id, known, now).await,
        };
        match released {
            Ok(released) => Ok(Some(released)),
            // Also one that refuses: credentials that have expired are renewed some day.
            Err(IpamError::Store(_)) => {
                self.journal_release(id, known, now)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The attachment is about to vanish, so no allocation may rest on its presence.
    fn expect_no_more(&self, id: &AttachmentId, known: Option<&Known>) {
        for (_, record) in known.into_iter().flat_map(|k| &k.addresses) {
            self.learn(&record.pool, |hint| hint.drop_witness(id));
        }
    }

    fn standing_by_memory(&self, id: &AttachmentId, known: &Known) -> Option<Standing> {
        let revision = known.revision?;
        let attachment = AttachmentRecord {
            addresses: known
                .addresses
                .iter()
                .map(|(address, _)| *address)
                .collect(),
            phase: Phase::Live,
            ..self.tombstone(&known.incarnation)
        };
        let held_by_us = |record: &AddressRecord| {
            record
                .holder
                .as_ref()
                .is_some_and(|holder| holder.attachment == *id)
        };
        let all_ours = known.addresses.iter().all(|(_, record)| held_by_us(record));
        (all_ours && !known.addresses.is_empty()).then(|| Standing {
            attachment: Some((revision, attachment)),
            addresses: known
                .addresses
                .iter()
                .map(|(a, r)| (*a, revision, r.clone()))
                .collect(),
        })
    }

    async fn standing(&self, id: &AttachmentId) -> Result<Standing, IpamError> {
        let answer = self
            .store
            .read(&[Read::Get(keys::attachment(id).into())])
            .await?;
        let attachment = parse::<AttachmentRecord>(&answer, 0)?;
        let held = attachment
            .as_ref()
            .map_or(&[][..], |(_, record)| &record.addresses);
        let reads: Vec<_> = held
            .iter()
            .map(|a| Read::Get(keys::address(*a).into()))
            .collect();
        let answer = if reads.is_empty() {
            Answer {
                revision: Revision::ABSENT,
                lists: Vec::new(),
            }
        } else {
            self.store.read(&reads).await?
        };
        let mut addresses = Vec::new();
        for (n, address) in held.iter().enumerate() {
            if let Some((revision, record)) = parse::<AddressRecord>(&answer, n)? {
                addresses.push((*address, revision, record));
            }
        }
        Ok(Standing {
            attachment,
            addresses,
        })
    }
}

fn changing(id: &AttachmentId) -> IpamError {
    let reason = format!("its records changed at each of {ATTEMPTS} attempts");
    StoreError::Unavailable {
        store: id.to_string(),
        reason,
    }
    .into()
}

/// A release, ready to be sent.
struct Plan {
    txn: Txn,
    /// The records of the addresses as they become.
    released: Vec<(IpAddr, AddressRecord)>,
    /// And as they were.
    held: Vec<(IpAddr, AddressRecord)>,
    incarnation: Incarnation,
}

impl Plan {
    /// Leaves `record` where the attachment's was, so that no late transaction finds it absent.
    fn leave(&mut self, id: &AttachmentId, record: &AttachmentRecord) {
        let key = keys::attachment(id);
        let removal = Write::delete(key.as_str());
        self.txn.writes.retain(|write| *write != removal);
        self.txn.writes.push(Write::put(key, record.encode()));
    }
}

/// Decides what a release must change; `None` when nothing is left to be done. Pure.
///
/// A record of another machine that had the node's name is not this one's to release; one whose
/// incarnation this one remembers is its own, also when its node id was lost.
fn plan(
    (id, node): (&AttachmentId, &NodeId),
    lives: Lives<'_>,
    seen: &Standing,
    now: Timestamp,
) -> Option<Plan> {
    let (attached_at, attached) = seen.attachment.as_ref()?;
    let may = match lives {
        Lives::Any => true,
        Lives::One(incarnation) => *incarnation == attached.incarnation,
        Lives::UpTo(revision) => *attached_at <= revision,
        Lives::OneOrUpTo(incarnation, revision) => {
            *incarnation == attached.incarnation || *attached_at <= revision
        }
    };
    let known = matches!(lives, Lives::One(_));
    if !may || (attached.node_id != *node && !known) {
        return None;
    }
    if attached.phase == Phase::Deleted {
        return None;
    }
    let key = keys::attachment(id);
    let mut compares = vec![Compare::at(key.as_str(), *attached_at)];
    let mut writes = vec![Write::delete(key)];
    let (mut released, mut held) = (Vec::new(), Vec::new());
    for (address, revision, record) in &seen.addresses {
        // An address that the attachment names but that is another's is left alone.
        if record
            .holder
            .as_ref()
            .is_some_and(|holder| holder.attachment == *id)
        {
            let given_up = record.released(now);
            compares.push(Compare::at(keys::address(*address), *revision));
            writes.push(Write::put(keys::address(*address), given_up.encode()));
            released.push((*address, given_up));
            held.push((*address, record.clone()));
        }
    }
    let txn = Txn {
        compares,
        writes,
        otherwise: Vec::new(),
    };
    Some(Plan {
        txn,
        released,
        held,
        incarnation: attached.incarnation.clone(),
    })
}
