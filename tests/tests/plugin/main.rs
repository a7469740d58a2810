//! `berth` itself, called as a container runtime calls it: in real network namespaces, against
//! the embedded store and against etcd.
//!
//! - `cases`: the list of edge cases and bad inputs, a test named after each;
//! - `chains`: with other plugins before and behind it;
//! - `replay`: as CRI-O calls it;
//! - `kill`: killed at every step, and put right by the next call;
//! - `delegated`: `berth-ipam` under other plugins; `delegation`: other IPAM plugins under `berth`;
//! - `ovs`: the driver `ovs`;
//! - the others: one theme each.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers belong to the tests"
)]

mod addresses;
mod bandwidth;
mod cases;
mod chained;
mod chains;
mod check;
mod concurrency;
mod container;
mod del;
mod delegated;
mod delegation;
mod doctor;
mod explain;
mod families;
mod gc;
mod ground;
mod host_access;
mod kill;
mod links;
mod machine;
mod on_debian;
mod ovs;
mod ownership;
mod promises;
mod records;
mod replay;
mod reservations;
mod schema;
mod status;
mod sticky;
mod versions;
mod vlans;
mod wire;
