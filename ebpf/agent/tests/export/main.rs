//! What is exported, and how it is served: against snapshots that the tests make.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: whatever is unexpected must fail loudly"
)]

mod any;
mod bounds;
mod budget;
mod content;
mod counting;
mod figures;
mod given;
mod parser;
mod round_trip;
mod served;
mod serving;
mod settings;
mod streams;
