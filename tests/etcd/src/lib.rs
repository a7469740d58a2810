//! A real etcd for tests, alone or as a cluster, on loopback or in network namespaces; and one
//! list of claims for both kinds of store.
//!
//! Needs the program `etcd` (Debian package `etcd-server`). Nothing outlives the test: a member
//! is killed when it is dropped, and by the kernel when the thread that started it ends.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "test support: whatever is unexpected must fail loudly"
)]

mod authority;
mod claims;
mod member;
pub mod process;

pub use authority::Authority;
pub use member::{Etcd, Place, free_port};
