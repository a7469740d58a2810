//! The containers of a pod, told apart.

mod cases;
mod exact;
pub(crate) mod pod;
