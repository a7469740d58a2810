//! The containers of a pod, told apart.

mod cases;
mod cgroups;
mod exact;
mod kill;
mod peer;
mod pod;
mod scene;
