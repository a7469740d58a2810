//! The kernel: the only place where anything of it is changed or read.

pub mod load;
