//! What people and monitoring systems see: the page in a real browser, the metrics in a real
//! Prometheus.

// The same snapshots as the tests of the export.
#[path = "../../../../ebpf/agent/tests/export/given.rs"]
mod given;

mod looks;
mod names;
mod prometheus;
mod real;
mod serve;
mod use_it;
