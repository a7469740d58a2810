//! Why an address could not be had or given back.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use berth_store::{Revision, StoreError};
use berth_types::{BadRecord, Holder, PoolName, PoolState, ReservationId};

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
    /// The pool is not for everybody, or keeps addresses for pods: a later release knows how.
    #[error("pool {0} has namespaces, nodes or sticky set, which this release does not honour")]
    NotHonoured(PoolName),
    /// Every usable address is held.
    #[error("pool {pool} has no free address: {held} of {size} are held")]
    Exhausted {
        /// The pool.
        pool: PoolName,
        /// How many addresses it hands out.
        size: u64,
        /// How many of them are held.
        held: u64,
    },
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
    /// Two addresses of one family, or more than this release gives at once.
    #[error("{count} addresses were asked for at once, at most {most} can be given")]
    TooMany {
        /// How many were asked for.
        count: usize,
        /// How many can be given.
        most: usize,
    },
    /// Nobody may allocate: the store was set back, or an operator closed it.
    #[error("the store is closed for allocation: {reason}")]
    Closed {
        /// What the closing record says.
        reason: String,
    },
    /// The store is older than what this node has seen of it: restored from a backup, or replaced.
    #[error("the store is at revision {now}, but this node has seen revision {seen} of it")]
    SetBack {
        /// The highest revision seen.
        seen: Revision,
        /// The store's revision.
        now: Revision,
    },
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
            Self::Contended { .. } | Self::JournalFull { .. } => true,
            _ => false,
        }
    }

    /// Whether another address of the pool might be had.
    pub(crate) const fn is_about_address(&self) -> bool {
        matches!(
            self,
            Self::Held { .. } | Self::Reserved { .. } | Self::NotInPool { .. }
        )
    }

    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::NoSuchPool(_) => "see `cnictl pool list`, or make it with `cnictl pool create`",
            Self::NotHonoured(_) => "use another pool, or the release that set them",
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
            Self::NotInPool { .. } => "see the pool's ranges with `cnictl pool show`",
            Self::TooMany { .. } => "ask for fewer addresses",
            Self::Closed { .. } => "see the reason, and the runbook for a store that was restored",
            Self::SetBack { .. } => {
                "restore nothing over a store in use; if it was made anew on purpose, and no container lives, remove <stateDir>/hints"
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
