//! One allocation under way.

use std::collections::BTreeSet;
use std::net::IpAddr;

use berth_store::{Compare, Revision, Write};
use berth_types::{NodeRecord, PoolName, PoolRecord, PoolState, ReservationId, ReservationPolicy};
use jiff::Timestamp;

use super::ATTEMPTS;
use crate::node::{self, Standing};
use crate::{Evidence, IpamError, Lease, NodeIdentity, Request, Stickiness};

/// What is asked for, and what was found out on the way.
pub(super) struct Asking<'a> {
    pub(super) request: &'a Request,
    /// The pool that is being tried.
    pub(super) pool: &'a PoolName,
    pub(super) evidence: &'a dyn Evidence,
    pub(super) now: Timestamp,
    /// The revision of the attachment's record that is replaced; [`Revision::ABSENT`] for none.
    pub(super) replaced: Revision,
    /// The reservation that the addresses are to be kept in.
    pub(super) keep: Option<Keep>,
    /// Addresses that were found to be of no use.
    pub(super) avoid: BTreeSet<IpAddr>,
    /// The revision of this machine's record, as far as it was read; see [`Ground::node`].
    ///
    /// [`Ground::node`]: super::txn::Ground::node
    pub(super) node: Option<Revision>,
}

/// A reservation in which the addresses are kept, written together with them.
#[derive(Clone, Debug)]
pub(super) struct Keep {
    pub(super) id: ReservationId,
    /// The revision of its record; [`Revision::ABSENT`] for none.
    pub(super) revision: Revision,
    pub(super) policy: ReservationPolicy,
    /// The addresses it keeps as it is.
    pub(super) addresses: Vec<IpAddr>,
    /// What else must hold and change: addresses it no longer keeps.
    pub(super) extras: Extras,
}

/// Further conditions and changes of a transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    pub(super) compares: Vec<Compare>,
    pub(super) writes: Vec<Write>,
}

impl Extras {
    pub(super) fn extend(&mut self, other: Self) {
        let Self { compares, writes } = other;
        self.compares.extend(compares);
        self.writes.extend(writes);
    }
}

/// What one attempt led to.
pub(super) enum Step {
    /// The addresses are ours.
    Done(Box<Lease>),
    /// Something was learnt; choose again.
    Again,
    /// The reservation they are to be kept in is not what it was.
    Stale,
}

/// What a way to addresses led to.
pub(super) enum Given {
    /// The addresses.
    Lease(Box<Lease>),
    /// Nothing yet: the pool keeps addresses for pods, and this pod's are to be looked up.
    KeptFor(ReservationId),
    /// Nothing yet: the reservation they are to be kept in is to be looked up again.
    Stale,
}

impl<'a> Asking<'a> {
    pub(super) const fn new(
        request: &'a Request,
        pool: &'a PoolName,
        evidence: &'a dyn Evidence,
        now: Timestamp,
    ) -> Self {
        Self {
            request,
            pool,
            evidence,
            now,
            replaced: Revision::ABSENT,
            keep: None,
            avoid: BTreeSet::new(),
            node: None,
        }
    }

    /// Learns whose the node's name is; the revision of its record, when that is this machine's.
    ///
    /// # Errors
    /// [`IpamError::NodeNameTaken`], [`IpamError::DeclaredDead`].
    pub(super) fn learn_node(
        &mut self,
        node: &NodeIdentity,
        record: Option<&(Revision, NodeRecord)>,
    ) -> Result<Option<Revision>, IpamError> {
        let revision = record.map(|(revision, _)| *revision);
        let record = record.map(|(_, record)| record);
        match node::judge(record, node) {
            Standing::Ours | Standing::Unclaimed(_) => {}
            // What it remembers is older than what all others agreed on.
            Standing::DeclaredDead(_) => return Err(IpamError::DeclaredDead(node.name.clone())),
            Standing::Anothers(anothers) => return Err(IpamError::NodeNameTaken(anothers)),
        }
        self.node = revision;
        Ok(revision)
    }

    /// The reservation of a pod's interface that is to be sticky whatever the pool says.
    pub(super) fn explicitly_sticky(&self) -> Option<ReservationId> {
        match self.request.stickiness {
            Stickiness::Sticky => self.request.sticky_id(),
            Stickiness::AsPool | Stickiness::Loose => None,
        }
    }

    /// Whether addresses kept for these reservations are what the request asks for, and nobody
    /// else's: one that draws from a reservation has some of it already.
    pub(super) fn has_right_to<'r>(
        &self,
        kept_for: impl Iterator<Item = Option<&'r ReservationId>> + Clone,
    ) -> bool {
        let own = match self.request.stickiness {
            Stickiness::AsPool | Stickiness::Sticky => self.request.sticky_id(),
            Stickiness::Loose => None,
        };
        let due = self.request.reservation.clone();
        let due = due.or_else(|| self.explicitly_sticky());
        let allowed = due.as_ref().or(own.as_ref());
        let nobody_elses = kept_for.clone().flatten().all(|id| Some(id) == allowed);
        let some_of_it = due.is_none() || kept_for.flatten().any(|id| Some(id) == due.as_ref());
        nobody_elses && some_of_it
    }

    /// The reservation in which the pool wants the addresses kept, unless they are to be already.
    pub(super) fn to_be_kept(&self, pool: &PoolRecord) -> Option<ReservationId> {
        let sticky = pool.sticky && self.request.stickiness == Stickiness::AsPool;
        (sticky && self.keep.is_none())
            .then(|| self.request.sticky_id())
            .flatten()
    }

    /// Whether the pool gives addresses to this request, on that node.
    ///
    /// # Errors
    /// [`IpamError::NotAdmitted`], [`IpamError::PoolClosed`].
    pub(super) fn may_draw(&self, pool: &PoolRecord, node: &NodeIdentity) -> Result<(), IpamError> {
        let refused = |whom| {
            Err(IpamError::NotAdmitted {
                pool: self.pool.clone(),
                whom,
            })
        };
        let namespace = self.request.namespace();
        if !pool.admits_namespace(namespace) {
            return refused(namespace.map_or_else(
                || "a container of no namespace".to_owned(),
                |namespace| format!("namespace {namespace}"),
            ));
        }
        if !pool.admits_node(&node.name) {
            return refused(format!("node {}", node.name));
        }
        match pool.state {
            PoolState::Active => Ok(()),
            state @ PoolState::Draining => Err(IpamError::PoolClosed {
                pool: self.pool.clone(),
                state,
            }),
        }
    }

    pub(super) fn not_in_pool(&self, address: IpAddr) -> IpamError {
        IpamError::NotInPool {
            address,
            pool: self.pool.clone(),
        }
    }

    pub(super) fn contended(&self) -> IpamError {
        IpamError::Contended {
            pool: self.pool.clone(),
            attempts: ATTEMPTS,
        }
    }
}
