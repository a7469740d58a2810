//! Claiming addresses, and what is certain when that fails.

use berth_ipam::fault::checkpoint;
use berth_ipam::{Evidence, IpamError, Lease, Request};
use berth_store::StoreError;
use jiff::Timestamp;

use super::allocator::Allocator;
use crate::spec::CniError;

/// A claim that failed.
pub(super) struct Unclaimed {
    pub(super) error: CniError,
    /// Whether the store certainly holds nothing of it.
    pub(super) clean: bool,
    /// Whether it failed because the store is away.
    pub(super) store_away: bool,
}

impl Unclaimed {
    /// Of a claim that never reached the store.
    pub(super) const fn unsent(error: CniError) -> Self {
        Self {
            error,
            clean: true,
            store_away: false,
        }
    }
}

/// Claims what `request` asks for.
pub(super) fn claim(
    allocator: &Allocator,
    request: &Request,
    evidence: &dyn Evidence,
) -> Result<Lease, Unclaimed> {
    let allocated = allocator.ipam.allocate(request, evidence, Timestamp::now());
    let lease = allocator.wait(allocated);
    checkpoint("add.claimed");
    lease.map_err(|error| Unclaimed {
        clean: !matches!(
            error,
            IpamError::Store(StoreError::OutcomeUnknown { .. }) | IpamError::Disk { .. }
        ),
        store_away: matches!(&error, IpamError::Store(error) if error.is_away()),
        error: error.into(),
    })
}
