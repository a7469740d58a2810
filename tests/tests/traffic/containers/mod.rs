//! The containers of a pod, told apart.

mod cases;
mod containerd;
mod exact;
mod kill;
pub(crate) mod peer;
pub(crate) mod pod;
mod scene;
