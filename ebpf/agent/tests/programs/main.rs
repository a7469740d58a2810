//! The programs of the kernel's side, run by the kernel on crafted packets (`BPF_PROG_TEST_RUN`).
//!
//! Needs root. Nothing is attached to anything.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    reason = "test code: whatever is unexpected must fail loudly"
)]

mod abi;
mod any;
mod containers;
mod kinds;
mod packets;
mod run;
mod scopes;
mod sizes;
mod truncated;
