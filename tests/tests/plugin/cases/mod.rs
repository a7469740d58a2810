//! The list of edge cases and bad inputs; each test's name has the case's number.
//!
//! Case 21 and the systematic part of 32 are in `kill`, 74's and 49's long outages in `status` and
//! `del`.

mod attachments;
mod checks;
mod configuration;
mod environment;
mod interface;
mod many;
mod pools;
mod removal;
mod requests;
mod store;
