//! The containers of a pod, told apart.

mod cases;
mod exact;
mod pod;
