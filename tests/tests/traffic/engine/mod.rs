//! The agent: what is attached, counted, kept and folded, whatever happens to it.

mod churn;
mod figures;
mod full;
pub(crate) mod ground;
pub(crate) mod hook;
pub(crate) mod kill;
mod life;
mod privileges;
mod restart;
mod trouble;
mod upgrade;
