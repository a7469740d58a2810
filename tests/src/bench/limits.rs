//! How near traffic comes to its limit.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::contender::Setup;
use crate::lan::{Lan, LanOptions};
use crate::throughput::{Peer, Way};

/// The limits that are measured, in Mbit/s.
const MEGABITS: [u32; 3] = [10, 100, 1000];
/// For how long each is measured, in seconds.
const SECONDS: u32 = 5;

/// One limit, and what passed.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Measured {
    /// The limit of both directions, in Mbit/s.
    pub limit: u32,
    /// What arrived at the container, in Mbit/s of frames.
    pub ingress: f64,
    /// What left it.
    pub egress: f64,
}

/// What passed at each limit.
#[derive(Clone, Debug, Serialize)]
pub struct Limits(pub Vec<Measured>);

/// Measures berth's limits on a macvlan, one container and one direction at a time.
///
/// # Panics
/// When a program is missing or a call fails.
pub fn run() -> Limits {
    let lan = Lan::new(&LanOptions {
        subnet: "10.20.2.0/24".to_owned(),
        gateway: [10, 20, 2, 1].into(),
        ..LanOptions::default()
    });
    let node = lan.node("n1");
    let setup = Setup::new(&node);
    let peer = Peer::at(lan.netns(), [10, 20, 2, 1].into());
    let measured = MEGABITS.map(|limit| {
        let contender = setup.limited(limit);
        let container = node.container(&format!("limit-{limit}"));
        let add = || {
            let start = |link, previous: Option<&Value>| contender.add(link, &container, previous);
            super::chain(&contender, start)
        };
        node.netns().run(add).success();
        let [ingress, egress] = Way::ALL.map(|way| peer.measure(&container, way, SECONDS) / 1e6);
        Measured {
            limit,
            ingress,
            egress,
        }
    });
    Limits(measured.into())
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| limit | ingress | | egress | |\n|--:|--:|--:|--:|--:|")?;
        for Measured {
            limit,
            ingress,
            egress,
        } in &self.0
        {
            let off = |measured: f64| (measured / f64::from(*limit) - 1.0) * 100.0;
            writeln!(
                f,
                "| {limit} Mbit/s | {ingress:.2} | {:+.1} % | {egress:.2} | {:+.1} % |",
                off(*ingress),
                off(*egress),
            )?;
        }
        writeln!(
            f,
            "\nMbit/s of frames that TCP carried within {SECONDS} s; of a frame's 1,514 bytes a \
             program reads 1,448."
        )
    }
}
