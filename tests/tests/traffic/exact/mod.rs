//! What is counted is what is on the wire: equal to the device counters of the other end, whose
//! interface neither segments nor merges.

mod flows;
mod ground;
mod hooks;
mod links;
mod others;
