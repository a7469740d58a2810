//! Why a pool was not made, changed or deleted.

use berth_store::StoreError;
use berth_types::{BadRecord, BlockSize, InvalidPool, PoolName, ReservationId};

/// A pool that was not made, changed or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The store gave no decision.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pool cannot be as asked.
    #[error(transparent)]
    Invalid(#[from] InvalidPool),
    /// A record that this program must not touch.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// The name is taken.
    #[error("pool {0} exists already")]
    Exists(PoolName),
    /// There is no such pool.
    #[error("pool {0} does not exist")]
    NoSuchPool(PoolName),
    /// Another pool has some of these addresses.
    #[error("subnet {subnet} overlaps subnet {theirs} of pool {pool}")]
    Overlap {
        /// What was asked for.
        subnet: String,
        /// What stands in the way.
        theirs: String,
        /// Whose it is.
        pool: PoolName,
    },
    /// Nodes have claimed blocks of the present size.
    #[error(
        "block size {size} of pool {pool} is fixed: nodes have claimed {claimed} of its blocks"
    )]
    Frozen {
        /// The pool.
        pool: PoolName,
        /// What its blocks have.
        size: BlockSize,
        /// How many are claimed.
        claimed: usize,
    },
    /// The pool still hands out addresses.
    #[error("pool {0} is active")]
    Active(PoolName),
    /// Some of the pool's addresses are held.
    #[error("pool {pool} is in use: {held} of its addresses are held, {first} by {holder}")]
    InUse {
        /// The pool.
        pool: PoolName,
        /// How many.
        held: usize,
        /// One of them.
        first: String,
        /// Who holds that.
        holder: String,
    },
    /// Addresses of the pool are kept for workloads.
    #[error("pool {pool} is in use: {first} has addresses of it (reservations in all: {count})")]
    Reserved {
        /// The pool.
        pool: PoolName,
        /// How many.
        count: usize,
        /// One of them.
        first: ReservationId,
    },
    /// The pool is not what it was when it was looked at.
    #[error("pool {0} changed since it was looked at")]
    Changed(PoolName),
    /// Others kept changing the same things at the same moment.
    #[error("what was read changed at each of {0} attempts")]
    Contended(u32),
}

impl PoolError {
    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::Invalid(_) => "correct the value and try again; nothing was changed",
            Self::Record(_) => {
                "look at the record; upgrade this program if a newer release wrote it"
            }
            Self::Exists(_) => "add subnets to it with `cnictl pool extend`",
            Self::NoSuchPool(_) => "see `cnictl pool list`",
            Self::Overlap { .. } => "pools never overlap: choose another subnet",
            Self::Frozen { .. } => "make another pool with the block size you want",
            Self::Active(_) => "let it hand out nothing more first, with `cnictl pool drain`",
            Self::InUse { .. } => "delete the containers first; see `cnictl ip list --pool`",
            Self::Reserved { .. } => {
                "see `cnictl reserve list --pool`, and delete them with `cnictl reserve delete`"
            }
            Self::Changed(_) => "look at it again with `cnictl pool show`",
            Self::Contended(_) => "try again",
        }
    }
}
