//! Traffic counters, in real network namespaces and with the kernel's own programs.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test program: whatever is not as it should be must fail"
)]

mod engine;
