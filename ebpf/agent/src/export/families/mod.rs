//! The names, units and meanings of everything that is exported. The one list of them.

pub(crate) mod agent;
pub(crate) mod cadvisor;
pub(crate) mod process;
pub(crate) mod traffic;
