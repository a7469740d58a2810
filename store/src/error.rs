//! Why a store could not answer.

use std::path::PathBuf;

/// A call that got no decision from the store.
///
/// "A compare did not hold" is not among these: that is [`crate::Outcome::Refused`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nobody answered, and a transaction was certainly not made.
    #[error("store {store} is unavailable: {reason}")]
    Unavailable {
        /// Where the store is, as the configuration names it.
        store: String,
        /// What the last endpoint tried said.
        reason: String,
    },
    /// The transaction was sent, but no answer came: it may have been made.
    #[error("store {store} gave no answer, the outcome is unknown: {reason}")]
    OutcomeUnknown {
        /// Where the store is.
        store: String,
        /// What broke the exchange.
        reason: String,
    },
    /// The store understood and refused: credentials, permissions, an oversized request.
    #[error("store {store} rejected the request: {reason}")]
    Rejected {
        /// Where the store is.
        store: String,
        /// Its words.
        reason: String,
    },
    /// No room is left: the embedded map is full, or etcd raised its NOSPACE alarm.
    #[error("store {store} is full: {reason}")]
    Full {
        /// Where the store is.
        store: String,
        /// Its words.
        reason: String,
    },
    /// The history after the revision asked for is no longer kept.
    #[error("store {store} no longer keeps the changes since that revision")]
    Compacted {
        /// Where the store is.
        store: String,
    },
    /// The embedded store's folder or files cannot be used.
    #[error("embedded store {path:?}: {reason}", path = .path.display().to_string())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub const fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::OutcomeUnknown { .. } | Self::Full { .. }
        )
    }

    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => {
                "check that the store's endpoints are reachable from this node and healthy"
            }
            Self::OutcomeUnknown { .. } => "nothing to do: the caller repeats the transaction",
            Self::Rejected { .. } => "check the store's credentials and the role's permissions",
            Self::Full { .. } => {
                "embedded: delete pools that are no longer used, or move to etcd; etcd: compact, defragment and disarm the alarm"
            }
            Self::Compacted { .. } => "read again and watch from there",
            Self::Unusable { .. } => {
                "check the folder's owner, mode and free space, and that only one PID namespace uses it"
            }
        }
    }
}
