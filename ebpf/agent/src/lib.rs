//! Counts the traffic of every container of a node, and tells of it.
//!
//! The counters are the kernel's ([`berth_ebpf_common`]) and go on without the agent. It looks at the
//! node's attachment records ([`observe`]) and at what is attached ([`kernel`]), decides what is to be
//! attached where ([`decide`]), does that ([`engine`]), folds what has ended into its workload
//! ([`ledger`]), and answers whoever asks ([`snapshot`], of [`model`]'s shape).

pub mod args;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod containers;
pub mod decide;
pub mod engine;
pub mod export;
pub mod http;
pub mod kernel;
pub mod ledger;
pub mod model;
pub mod observe;
mod page;
pub mod sampler;
pub mod scope;
pub mod snapshot;
pub mod uninstall;
