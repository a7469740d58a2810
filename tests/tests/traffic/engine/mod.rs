//! The agent: what is attached, counted, kept and folded, whatever happens to it.

mod churn;
pub(crate) mod ground;
pub(crate) mod kill;
mod life;
mod restart;
mod trouble;
mod upgrade;
