//! Why addresses were not kept, or not let go.

use std::net::IpAddr;

use berth_store::StoreError;
use berth_types::{BadRecord, Family, Holder, PoolName, ReservationId};

/// A reservation that was not made, extended or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// The store gave no decision.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record that this program must not touch.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// Nobody may allocate: the store was set back, or an operator closed it.
    #[error("the store is closed for allocation: {0}")]
    Closed(String),
    /// There is no such pool.
    #[error("pool {0} does not exist")]
    NoSuchPool(PoolName),
    /// The pool hands out nothing any more.
    #[error("pool {0} is draining")]
    Draining(PoolName),
    /// The pool is not for that namespace.
    #[error("pool {pool} is not for namespace {namespace}")]
    NotAdmitted {
        /// The pool.
        pool: PoolName,
        /// The reservation's namespace.
        namespace: String,
    },
    /// The reservation is there already.
    #[error("reservation {id} exists already, with {count} addresses of pool {pool}")]
    Exists {
        /// Its name.
        id: ReservationId,
        /// How many addresses it has.
        count: usize,
        /// Where they are from.
        pool: PoolName,
    },
    /// There is no such reservation.
    #[error("reservation {0} does not exist")]
    NoSuchReservation(ReservationId),
    /// Only the allocator makes those.
    #[error("reservation {0} is a pod's, which its sticky pool makes by itself")]
    NotWorkload(ReservationId),
    /// Somebody has the address.
    #[error("address {address} is held by {attachment}{pod}",
            attachment = .holder.attachment, pod = pod(.holder))]
    Held {
        /// The address.
        address: IpAddr,
        /// Who has it.
        holder: Box<Holder>,
    },
    /// The address is kept for somebody else.
    #[error("address {address} is reserved for {reserved_for}")]
    Reserved {
        /// The address.
        address: IpAddr,
        /// For whom.
        reserved_for: ReservationId,
    },
    /// The address names a reservation that does not list it.
    #[error("address {address} is marked for {reserved_for}, which does not list it")]
    Stale {
        /// The address.
        address: IpAddr,
        /// Whom it names.
        reserved_for: ReservationId,
    },
    /// The pool never hands out that address.
    #[error("address {address} is not one that pool {pool} hands out")]
    NotInPool {
        /// The address.
        address: IpAddr,
        /// The pool.
        pool: PoolName,
    },
    /// Too few addresses are free.
    #[error("pool {pool} has {free} free {family} addresses, not {wanted}")]
    NotEnough {
        /// The pool.
        pool: PoolName,
        /// Of which family.
        family: Family,
        /// How many were asked for.
        wanted: usize,
        /// How many can be had.
        free: usize,
    },
    /// More addresses than one reservation may have.
    #[error("reservation {id} would have {count} addresses, more than {most}")]
    TooMany {
        /// Its name.
        id: ReservationId,
        /// How many it would have.
        count: usize,
        /// How many it may have.
        most: usize,
    },
    /// What it was decided from changed.
    #[error("reservation {id} or one of its addresses changed since it was looked at")]
    Changed {
        /// Its name.
        id: ReservationId,
    },
    /// Others kept taking the same addresses at the same moment.
    #[error("what was read changed at each of {0} attempts")]
    Contended(u32),
    /// Some of it was done.
    #[error("{done} of the addresses were done, then it stopped")]
    Partly {
        /// How many.
        done: usize,
        /// Why it stopped.
        #[source]
        cause: Box<ReserveError>,
    },
}

fn pod(holder: &Holder) -> String {
    let pod = holder.pod.as_ref();
    pod.map_or_else(String::new, |pod| format!(" (pod {pod})"))
}

impl ReserveError {
    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::Record(_) => {
                "look at the record; upgrade this program if a newer release wrote it"
            }
            Self::Closed(_) => {
                "see `cnictl store status`, and the runbook for a store that was restored"
            }
            Self::NoSuchPool(_) => "see `cnictl pool list`",
            Self::Draining(_) => {
                "use another pool, or let this one go on with `cnictl pool resume`"
            }
            Self::NotAdmitted { .. } => {
                "use another pool, or add the namespace with `cnictl pool set --namespaces`"
            }
            Self::Exists { .. } => "add addresses to it with `cnictl reserve extend`",
            Self::NoSuchReservation(_) => "see `cnictl reserve list`",
            Self::NotWorkload(_) => "name a workload's reservation: NAMESPACE/NAME",
            Self::Held { .. } => {
                "take another, release it with `cnictl release`, or give --held to leave it to its holder until then"
            }
            Self::Reserved { .. } => {
                "take another, or delete that reservation first with `cnictl reserve delete`"
            }
            Self::Stale { .. } => {
                "clear the mark with `cnictl reserve delete` of the reservation it names"
            }
            Self::NotInPool { .. } => "see the pool's ranges with `cnictl pool show`",
            Self::NotEnough { .. } => {
                "ask for fewer, or add a subnet with `cnictl pool extend`; nothing was reserved"
            }
            Self::TooMany { .. } => "make several reservations",
            Self::Changed { .. } => "look at it again with `cnictl reserve show`",
            Self::Contended(_) => "try again",
            Self::Partly { .. } => {
                "see what it has with `cnictl reserve show`, remove the cause, and ask for the rest"
            }
        }
    }
}
