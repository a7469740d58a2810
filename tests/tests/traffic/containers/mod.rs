//! The containers of a pod, told apart.

mod cases;
mod cgroups;
mod containerd;
mod exact;
mod kill;
mod peer;
mod pod;
mod scene;
