//! A slot, as far as it is somebody's.

use std::time::Duration;

use berth_ebpf_common::Totals;
use jiff::Timestamp;

use super::Identity;
use crate::model::{Mode, WorkloadName};

/// A slot that is somebody's.
#[derive(Clone, Debug)]
pub struct Slot {
    /// How often it was given.
    pub generation: u64,
    /// When counting began.
    pub created: Timestamp,
    /// Its totals are estimated.
    pub estimated: bool,
    /// What is added to its counters.
    pub base: Totals,
    /// Whose it is.
    pub identity: Identity,
    /// Since when, in uptime, its interface is gone; an agent that was away begins anew.
    pub ended: Option<Duration>,
}

impl Slot {
    /// Which workload its counts end in.
    pub const fn workload(&self) -> &WorkloadName {
        &self.identity.workload
    }

    /// Whether what its interface receives and sends is counted, be it by the device.
    pub fn is_counted(&self) -> bool {
        self.identity.mode.iter().all(|mode| *mode != Mode::Off)
    }
}
