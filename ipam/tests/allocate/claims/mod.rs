//! One function per claim; `main.rs` makes a test of each on each store.

pub(crate) mod answers;
pub(crate) mod costs;
pub(crate) mod crowds;
pub(crate) mod dual_stack;
pub(crate) mod exact;
pub(crate) mod foreign_records;
pub(crate) mod giving;
pub(crate) mod journal;
pub(crate) mod kills;
pub(crate) mod lives;
pub(crate) mod pool_lists;
pub(crate) mod reservations;
pub(crate) mod stale_hints;
pub(crate) mod sticky;
pub(crate) mod take_over;
pub(crate) mod unfinished;
