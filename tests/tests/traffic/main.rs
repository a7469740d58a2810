//! Traffic counters, in real network namespaces and with the kernel's own programs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: whatever is unexpected must fail loudly"
)]

mod containers;
mod engine;
mod exact;
mod machine;
mod on_debian;
mod page;
