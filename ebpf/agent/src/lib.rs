//! Counts the traffic of every container of a node, and tells of it.
//!
//! The counters are the kernel's ([`berth_ebpf_common`]) and go on without the agent. It decides what
//! is attached where ([`model`] is what it then knows), folds what has ended into its workload, and
//! answers whoever asks.

pub mod kernel;
pub mod model;
