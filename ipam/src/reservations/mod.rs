//! What operators do with reservations: addresses that are kept for a workload.
//!
//! A reservation lists its addresses, and each of them names it in its own record, which is what
//! keeps others away. Both are written in one transaction. A set too large for one is kept or let
//! go in several; each leaves a reservation that lists exactly the addresses that name it, so that
//! an interruption leaves a smaller set and nothing else.
//!
//! [`look`] reads, [`plan_create`], [`plan_extend`] and [`plan_delete`] decide, [`create`],
//! [`extend`] and [`Removal::commit`] do it.

mod choose;
mod delete;
mod error;
mod grow;
mod plan;
#[cfg(test)]
mod tests;
mod view;

pub use delete::{Removal, plan_delete};
pub use error::ReserveError;
pub use grow::{create, extend};
pub use plan::{Addition, Ask, Growth, Order, plan_create, plan_extend};
pub use view::{Seen, View, look};

/// What to do about an address that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfHeld {
    /// Refuse, and name the holder.
    Refuse,
    /// Go on; the holder keeps it until it is released.
    Allow,
}
