//! The driver `ovs`: a container's veth as an access port of an Open vSwitch bridge.
//!
//! Open vSwitch is asked through its database alone (OVSDB, RFC 7047): a transaction says what is
//! to be, and `ovs-vswitchd` brings it about, with the kernel's datapath or its own.
//!
//! - [`message`] and [`port`] are pure: the protocol's messages, and what is asked and answered;
//! - [`retag`] is the same for a port that gets into another VLAN;
//! - [`client`] is one connection; [`asked`] makes and awaits a port with it, [`bridge`] finds and
//!   removes ports;
//! - [`pending`] keeps the ports that could not be removed while the database was away.

pub mod asked;
pub mod bridge;
pub mod client;
pub mod message;
pub mod pending;
pub mod port;
#[cfg(test)]
mod port_tests;
pub mod retag;

pub use asked::Asked;
pub use client::{Client, OvsdbError};
pub use pending::Pending;
pub use port::{NewPort, name_prefix, port_name};
