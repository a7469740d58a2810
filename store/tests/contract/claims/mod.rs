//! What holds for every store.

pub(crate) mod reading;
pub(crate) mod transactions;
pub(crate) mod watching;
