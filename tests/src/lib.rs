//! What the end-to-end tests and the benchmark stand on: a LAN made of network namespaces,
//! real etcd, and a caller of CNI plugins that behaves like a container runtime.
//!
//! Everything here lives below one temporary directory per test process ([`scratch`]) and in
//! network namespaces made for the test, so the machine's own network is never touched. Values
//! clean up when dropped; what a killed process leaves behind is swept by the next one.
//!
//! These helpers panic instead of returning errors: a missing program, package or privilege must
//! fail the test that needs it, and say which, rather than let it pass by doing nothing.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a missing privilege or program must fail loudly, not skip"
)]

pub mod bench;
pub mod browser;
pub mod capture;
pub mod cgroup;
pub mod containerd;
pub mod debian;
pub mod enclosure;
pub mod etcd;
pub mod images;
pub mod lan;
pub mod netns;
pub mod ovs;
pub mod plugin;
pub mod podman;
pub mod process;
pub mod prometheus;
pub mod scratch;
pub mod site;
pub mod stats;
pub mod throughput;
pub mod torture;
pub mod unit;
pub mod vm;
pub mod wait;
