//! The decision: what is leaked, and what of that may be freed. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use berth_store::Revision;
use berth_types::{AddressRecord, AttachmentId, AttachmentRecord, Holder, PoolName};

use super::admit::{Refused, admit};
use super::allocations::{Seen, addresses_of};
use super::evidence::Life;
use super::observations::Observed;
use super::{
    Allocations, Candidate, Class, DeathProof, Evidence, Gone, Limits, Monotonic, Observations,
    Pending, Stopped, Unclear, Verdict,
};

/// What a pass comes to.
#[derive(Clone, Debug)]
pub struct Decision {
    /// One for every held address and every address whose record cannot be read, in order.
    pub verdicts: Vec<Verdict>,
    /// What may be freed, in the order of the attachments.
    pub candidates: Vec<Candidate>,
    /// Pools of which too much would be freed at once.
    pub stopped: Vec<Stopped>,
    /// What to keep for the next pass.
    pub observations: Observations,
}

/// Decides what each held address is, and which may be freed.
///
/// `earlier` is what this observer saw at earlier looks, `now` the time by its clock.
///
/// # Errors
/// [`Refused`] when nothing must be decided on this; what was observed earlier then stands.
pub fn decide(
    allocations: &Allocations,
    evidence: &Evidence,
    earlier: &Observations,
    limits: &Limits,
    now: Monotonic,
) -> Result<Decision, Refused> {
    let looked = admit(allocations, evidence, earlier, now)?;
    let mut decision = Decision {
        verdicts: Vec::new(),
        candidates: Vec::new(),
        stopped: Vec::new(),
        observations: earlier.next(allocations.revision, now),
    };
    let pass = Pass {
        allocations,
        evidence,
        earlier,
        limits,
        looked,
        now,
    };
    let mut condemned = Vec::new();
    for (address, seen) in &allocations.addresses {
        let Some(found) = pass.judge(*address, seen) else {
            continue;
        };
        let Found {
            verdict,
            observed,
            condemned: this,
        } = found;
        decision.verdicts.push(verdict);
        let seen = &mut decision.observations.seen;
        seen.extend(observed.map(|observed| (*address, observed)));
        condemned.extend(this);
    }
    decision.stopped = pass.stops(&condemned);
    condemned.retain(|c| {
        c.gone.by_own_node() || decision.stopped.iter().all(|s| s.pool != c.record.pool)
    });
    decision.candidates = pass.candidates(condemned);
    Ok(decision)
}

struct Pass<'a> {
    allocations: &'a Allocations,
    evidence: &'a Evidence,
    earlier: &'a Observations,
    limits: &'a Limits,
    /// When the oldest piece of evidence was looked at.
    looked: Monotonic,
    now: Monotonic,
}

struct Found<'a> {
    verdict: Verdict,
    observed: Option<Observed>,
    condemned: Option<Condemned<'a>>,
}

/// An address that may be freed unless its pool is stopped at.
struct Condemned<'a> {
    address: IpAddr,
    revision: Revision,
    record: &'a AddressRecord,
    attachment: &'a AttachmentId,
    attached: (Revision, &'a AttachmentRecord),
    gone: Gone,
}

impl<'a> Pass<'a> {
    /// What an address is; `None` when nobody holds it.
    fn judge(&self, address: IpAddr, seen: &'a Seen<AddressRecord>) -> Option<Found<'a>> {
        let (revision, record) = seen;
        let record = match record {
            Ok(record) => record,
            Err(bad) => return Some(only(address, None, Class::Malformed(bad.clone()))),
        };
        let holder = record.holder.as_ref()?;
        let ours = Some((record, holder));
        let (attached_at, attached) = match self.attached(address, holder) {
            Ok(attached) => attached,
            Err(class) => return Some(only(address, ours, class)),
        };
        let id = &holder.attachment;
        let life = self.evidence.life(id, attached_at, attached);
        let gone = match life {
            Life::Gone(gone) => Some(gone),
            Life::Alive | Life::NoApiOwner | Life::Unclear(_) => None,
        };
        let revisions = (*revision, attached_at);
        let observed = self.earlier.observe(address, revisions, gone, self.now);
        let class = self.class(address, record, life, &observed);
        let leaked = matches!(class, Class::Leaked(_));
        let condemned = gone.filter(|_| leaked).map(|gone| Condemned {
            address,
            revision: *revision,
            record,
            attachment: id,
            attached: (attached_at, attached),
            gone,
        });
        Some(Found {
            observed: Some(observed),
            condemned,
            ..only(address, ours, class)
        })
    }

    /// The attachment that holds an address, where both records say so.
    fn attached(
        &self,
        address: IpAddr,
        holder: &Holder,
    ) -> Result<(Revision, &'a AttachmentRecord), Class> {
        let differ = || Class::CannotTell(Unclear::RecordsDiffer);
        let seen = self.allocations.attachments.get(&holder.attachment);
        let (at, record) = seen.ok_or_else(differ)?;
        let record = match record {
            Ok(record) => record,
            Err(bad) => return Err(Class::Malformed(bad.clone())),
        };
        let same = record.incarnation == holder.incarnation
            && addresses_of(record).any(|named| named == address);
        if same {
            Ok((*at, record))
        } else {
            Err(differ())
        }
    }

    fn class(
        &self,
        address: IpAddr,
        record: &AddressRecord,
        life: Life,
        observed: &Observed,
    ) -> Class {
        let gone = match life {
            Life::Alive => return Class::Ok,
            Life::NoApiOwner => return Class::NoApiOwner,
            Life::Unclear(why) => return Class::CannotTell(why),
            Life::Gone(gone) => gone,
        };
        let free_to_go = gone.by_own_node()
            || gone == Gone::NodeDead(DeathProof::Declared)
            || self.allocations.wanted.contains(&address);
        match &record.reserved_for {
            Some(kept_for) if !free_to_go => return Class::Reserved(gone, kept_for.clone()),
            _ => {}
        }
        if self.now.since(observed.first) < self.limits.young {
            return Class::Pending(gone, Pending::Young);
        }
        let grace = self.limits.grace.max(Duration::from_secs(1));
        let since = observed.gone.map_or(self.now, |gone| gone.since);
        if self.now.since(since) < grace {
            return Class::Pending(gone, Pending::OneLook);
        }
        Class::Leaked(gone)
    }

    /// The pools of which evidence from outside would free too much.
    fn stops(&self, condemned: &[Condemned<'_>]) -> Vec<Stopped> {
        let mut counts: BTreeMap<&PoolName, u64> = BTreeMap::new();
        for c in condemned.iter().filter(|c| !c.gone.by_own_node()) {
            *counts.entry(&c.record.pool).or_default() += 1;
        }
        let Limits {
            always,
            percent,
            grace: _,
            young: _,
        } = *self.limits;
        let stopped = counts.into_iter().filter_map(|(pool, would_free)| {
            let size = self.allocations.pools.get(pool).copied().unwrap_or(0);
            // Divided first where the product is beyond any number: a /64 has 2^64 addresses.
            let share = size.checked_mul(percent);
            let share = share.map_or(size / 100 * percent, |product| product / 100);
            let most = share.max(always);
            (would_free > most).then(|| Stopped {
                pool: pool.clone(),
                would_free,
                most,
            })
        });
        stopped.collect()
    }

    /// One candidate per attachment.
    fn candidates(&self, condemned: Vec<Condemned<'_>>) -> Vec<Candidate> {
        let mut candidates: BTreeMap<&AttachmentId, Candidate> = BTreeMap::new();
        for c in condemned {
            let candidate = candidates.entry(c.attachment);
            let candidate = candidate.or_insert_with(|| Candidate {
                attachment: c.attachment.clone(),
                attached: (c.attached.0, c.attached.1.clone()),
                addresses: Vec::new(),
                gone: c.gone,
                looked: self.looked,
            });
            let address = (c.address, c.revision, c.record.clone());
            candidate.addresses.push(address);
        }
        candidates.into_values().collect()
    }
}

/// An address of which there is nothing but the verdict.
fn only<'a>(address: IpAddr, held: Option<(&AddressRecord, &Holder)>, class: Class) -> Found<'a> {
    let verdict = Verdict {
        address,
        pool: held.map(|(record, _)| record.pool.clone()),
        attachment: held.map(|(_, holder)| holder.attachment.clone()),
        class,
    };
    Found {
        verdict,
        observed: None,
        condemned: None,
    }
}
