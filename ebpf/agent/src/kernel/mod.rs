//! The kernel: the only place where anything of it is changed or read.
//!
//! [`hooks::Hooks`] is the narrow way to interfaces, [`crate::ledger::Store`] the one to the maps.

mod backlog;
mod boxed;
pub mod bpf;
pub mod bpffs;
pub mod cgroup_program;
mod clsact;
pub mod device;
pub mod fault;
pub mod hooks;
pub mod load;
pub mod lock;
pub mod mapped;
pub mod maps;
mod netlink;
pub mod netns;
pub mod pins;
pub mod privileges;
pub mod removals;
pub mod statistics;
mod tcx;

pub use boxed::DeviceOnly;
