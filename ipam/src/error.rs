//! Why an address could not be had or given back.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use berth_store::StoreError;
use berth_types::{
    BadRecord, Family, Holder, MacAddr, NodeName, PoolName, PoolState, ReservationId,
};

use crate::closure::SetBack;
use crate::node::Anothers;

/// How one pool stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCount {
    /// The pool.
    pub pool: PoolName,
    /// The family that is used up, when the pool has more than one.
    pub family: Option<Family>,
    /// How many addresses it hands out.
    pub size: u64,
    /// How many of them are held.
    pub held: u64,
    /// How many are kept for somebody.
    pub reserved: u64,
    /// How many are doubtful and could not be probed.
    pub unproven: u64,
}

impl fmt::Display for PoolCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pool,
            family,
            size,
            held,
            reserved,
            unproven,
        } = self;
        write!(f, "pool {pool}: ")?;
        if let Some(family) = family {
            write!(f, "{family}: ")?;
        }
        write!(f, "{held} of {size} are held")?;
        if *reserved > 0 {
            write!(f, ", {reserved} reserved")?;
        }
        if *unproven > 0 {
            write!(f, ", {unproven} unproven")?;
        }
        Ok(())
    }
}

fn listed(pools: &[PoolCount]) -> String {
    let texts: Vec<_> = pools.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

fn of_pod(holder: &Holder) -> String {
    let pod = holder.pod.as_ref();
    pod.map_or_else(String::new, |pod| format!(" of pod {pod}"))
}

/// An allocation or release that did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IpamError {
    /// The store gave no decision.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pool that was asked for does not exist.
    #[error("pool {0} does not exist in the store")]
    NoSuchPool(PoolName),
    /// The pool hands out nothing.
    #[error("pool {pool} is {state}")]
    PoolClosed {
        /// The pool.
        pool: PoolName,
        /// Its state.
        state: PoolState,
    },
    /// The pool is for other namespaces or other nodes.
    #[error("pool {pool} is not for {whom}")]
    NotAdmitted {
        /// The pool.
        pool: PoolName,
        /// Who asked: `namespace …` or `node …`.
        whom: String,
    },
    /// None of the pools that were to be tried has an address left.
    #[error("no free address in {}", listed(.pools))]
    Exhausted {
        /// How each of them stands.
        pools: Vec<PoolCount>,
    },
    /// The reservation that was asked for does not exist.
    #[error("reservation {0} does not exist")]
    NoSuchReservation(ReservationId),
    /// The reservation is of another pool than the ones that may be used.
    #[error("reservation {id} is of pool {pool}, which is not among the pools to be tried")]
    ReservationElsewhere {
        /// The reservation.
        id: ReservationId,
        /// Its pool.
        pool: PoolName,
    },
    /// The address that was asked for is not one of the workload's set.
    #[error("address {address} is not one of reservation {id}")]
    NotInReservation {
        /// The address.
        address: IpAddr,
        /// The reservation.
        id: ReservationId,
    },
    /// Every address of a workload's set is held.
    #[error("all {count} addresses of reservation {id} are held, {address} by {attachment}{pod}",
            attachment = .holder.attachment, pod = of_pod(.holder))]
    ReservationInUse {
        /// The reservation.
        id: ReservationId,
        /// How many addresses it has.
        count: usize,
        /// The one that is held for longest.
        address: IpAddr,
        /// Its holder.
        holder: Box<Holder>,
    },
    /// The address is this pod's, but its former holder is not proven gone.
    #[error("address {address} is this pod's, but {attachment} still holds it: {reason}",
            attachment = .holder.attachment)]
    NotProvenGone {
        /// The address.
        address: IpAddr,
        /// Who holds it.
        holder: Box<Holder>,
        /// What speaks against taking it.
        reason: String,
    },
    /// Somebody on the wire has the address, whatever the store says.
    #[error("address {address} is free in the store, but {mac} answers for it on the wire")]
    Conflict {
        /// The address.
        address: IpAddr,
        /// Who answers.
        mac: MacAddr,
    },
    /// The address may only be given after a look at the wire, which nobody here can take.
    #[error("address {address} was taken from a holder that was not heard, and cannot be probed")]
    Doubtful {
        /// The address.
        address: IpAddr,
    },
    /// The node's name belongs to another machine.
    #[error(transparent)]
    NodeNameTaken(#[from] Anothers),
    /// An operator declared this node dead while the store was closed.
    #[error("node {0} was declared dead when the store was restored")]
    DeclaredDead(NodeName),
    /// The address that was asked for belongs to somebody else.
    #[error("address {address} is held by {attachment} since {since}",
            attachment = .holder.attachment, since = .holder.since)]
    Held {
        /// The address.
        address: IpAddr,
        /// Who has it.
        holder: Box<Holder>,
    },
    /// The address that was asked for is kept for somebody else.
    #[error("address {address} is reserved for {reserved_for}")]
    Reserved {
        /// The address.
        address: IpAddr,
        /// For whom.
        reserved_for: ReservationId,
    },
    /// The address that was asked for is never handed out by that pool.
    #[error("address {address} is not one that pool {pool} hands out")]
    NotInPool {
        /// The address.
        address: IpAddr,
        /// The pool.
        pool: PoolName,
    },
    /// Nobody may allocate: the store was set back, or an operator closed it.
    #[error("the store is closed for allocation: {reason}")]
    Closed {
        /// What the closing record says.
        reason: String,
    },
    /// The store is older than what this node has seen of it: restored from a backup, or replaced.
    #[error("{0}")]
    SetBack(SetBack),
    /// A record that this program must not touch stands in the way.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// Others won every race for an address.
    #[error("pool {pool}: lost {attempts} races for an address")]
    Contended {
        /// The pool.
        pool: PoolName,
        /// How many times.
        attempts: u32,
    },
    /// The node's own files cannot be read or written.
    #[error("{path:?}: {source}", path = .path.display().to_string())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More releases wait for the store than the node may keep.
    #[error("{count} releases already wait for the store to return")]
    JournalFull {
        /// How many wait.
        count: usize,
    },
}

impl IpamError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_away(),
            Self::Contended { .. }
            | Self::JournalFull { .. }
            | Self::ReservationInUse { .. }
            | Self::NotProvenGone { .. }
            | Self::Doubtful { .. } => true,
            _ => false,
        }
    }

    /// Whether another address of the pool might be had.
    pub(crate) const fn is_about_address(&self) -> bool {
        matches!(
            self,
            Self::Held { .. }
                | Self::Reserved { .. }
                | Self::NotInPool { .. }
                | Self::Conflict { .. }
                | Self::Doubtful { .. }
        )
    }

    /// Whether another pool of a list might give what this one does not.
    pub(crate) const fn is_about_pool(&self) -> bool {
        matches!(
            self,
            Self::PoolClosed { .. }
                | Self::NotAdmitted { .. }
                | Self::Exhausted { .. }
                | Self::NotInPool { .. }
        )
    }

    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::NoSuchPool(_) => "see `cnictl pool list`, or make it with `cnictl pool create`",
            Self::NotAdmitted { .. } => {
                "use another pool, or change this one with `cnictl pool set`"
            }
            Self::NoSuchReservation(_) => {
                "see `cnictl reserve list`, or make it with `cnictl reserve create`"
            }
            Self::ReservationElsewhere { .. } => "name the reservation's pool, or none",
            Self::ReservationInUse { .. } => {
                "add addresses with `cnictl reserve extend`, or let the rollout remove a pod before it makes one (maxSurge: 0)"
            }
            Self::NotProvenGone { .. } => {
                "nothing to do while the holder's node is well: it gives the address up when its sandbox is gone; else `cnictl release`"
            }
            Self::Conflict { .. } => "find the machine that answers, and take the address from it",
            Self::Doubtful { .. } => "wait until another address is free, or extend the pool",
            Self::NodeNameTaken(anothers) => anothers.hint(),
            Self::DeclaredDead(_) => "run `cnictl node republish` on it",
            Self::PoolClosed { .. } => {
                "use another pool, or let this one go on with `cnictl pool resume`"
            }
            Self::Exhausted { .. } => {
                "add a subnet with `cnictl pool extend`, or look for unused addresses with `cnictl ip list`"
            }
            Self::Held { .. } => {
                "ask for another address, or release it first with `cnictl release`"
            }
            Self::Reserved { .. } => "ask for an address that is not reserved",
            Self::NotInReservation { .. } => "see `cnictl reserve show`, or ask for none by name",
            Self::NotInPool { .. } => "see the pool's ranges with `cnictl pool show`",
            Self::Closed { .. } => {
                "see `cnictl store status`, and docs/restore.md for a store that was restored"
            }
            Self::SetBack(_) => {
                "the store is closed now: see `cnictl store status`, run `cnictl node republish` on every node, then `cnictl store open`"
            }
            Self::Record(_) => {
                "look at the record; upgrade this program if a newer release wrote it"
            }
            Self::Contended { .. } => "nothing to do: the runtime tries again",
            Self::Disk { .. } => "check the folder's owner, mode and free space",
            Self::JournalFull { .. } => {
                "bring the store back; waiting releases are then made first"
            }
        }
    }
}
