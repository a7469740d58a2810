//! `cnictl` itself, as a process, on a store of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: whatever is unexpected must fail loudly"
)]

mod addresses;
mod bad_input;
mod doctor;
mod explain;
mod history;
mod pools;
mod races;
mod release;
mod reservations;
mod set_back;
mod settings;
mod store_choice;
mod support;
mod top;
