//! How much TCP the interfaces carry between a container and the LAN: berth's beside the reference,
//! both drivers, with and without host access. One at a time, in turn.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::contender::{Contender, Setup};
use crate::lan::{Lan, LanOptions, Node};
use crate::ovs::Ovs;
use crate::stats::Figures;
use crate::throughput::{Peer, Way};

/// For how long each is measured, in seconds.
const SECONDS: u32 = 3;

/// What one contender carried, in Mbit/s of frames, of each round.
#[derive(Clone, Debug, Serialize)]
pub struct Carried {
    name: String,
    ingress: Vec<f64>,
    egress: Vec<f64>,
}

/// What all carried; the reference first.
#[derive(Clone, Debug, Serialize)]
pub struct Carriers(Vec<Carried>);

/// Measures every contender once in each round.
///
/// # Panics
/// When a program is missing or a call fails.
pub fn run(rounds: u8) -> Carriers {
    let lan = Lan::new(&LanOptions {
        subnet: "10.20.2.0/24".to_owned(),
        gateway: [10, 20, 2, 1].into(),
        ..LanOptions::default()
    });
    let [direct, switched] = ["n1", "n2"].map(|name| lan.node(name));
    let setups = [&direct, &switched].map(Setup::new);
    let ovs = Ovs::start(&switched);
    let contenders = contenders(&setups, &ovs);
    let peer = Peer::at(lan.netns(), [10, 20, 2, 1].into());
    let mut all: Vec<Carried> = contenders
        .iter()
        .map(|(contender, _)| Carried::none(&contender.name))
        .collect();
    for round in 0..rounds {
        for turn in super::turns(contenders.len(), round) {
            let (Some((contender, node)), Some(carried)) =
                (contenders.get(turn), all.get_mut(turn))
            else {
                continue;
            };
            let [ingress, egress] = measure(contender, node, &peer, round);
            carried.ingress.push(ingress);
            carried.egress.push(egress);
        }
    }
    Carriers(all)
}

/// The reference, and berth with the embedded store: each with the node it runs on.
fn contenders<'a>([direct, switched]: &[Setup<'a>; 2], ovs: &Ovs) -> Vec<(Contender, &'a Node)> {
    let mut by_macvlan = direct.contenders().into_iter();
    let mut reference = by_macvlan.next().expect("the reference");
    // In the LAN that is measured; one container has an address at a time.
    reference.set("/ipam/subnet", &json!("10.20.2.0/24"));
    reference.set("/ipam/gateway", &json!("10.20.2.1"));
    let macvlan = by_macvlan.next().expect("berth");
    let ports = switched.switched_contenders(ovs).into_iter();
    let port = ports.clone().nth(1).expect("berth");
    let named = |contender: &Contender, name: &str, access: bool| {
        let mut contender = contender.clone();
        name.clone_into(&mut contender.name);
        contender.set("/hostAccess", &json!(access));
        contender
    };
    vec![
        (reference, direct.node),
        (named(&macvlan, "berth macvlan", false), direct.node),
        (
            named(&macvlan, "berth macvlan, hostAccess", true),
            direct.node,
        ),
        (
            named(&port, "berth ovs, its own datapath", false),
            switched.node,
        ),
        (named(&port, "berth ovs, hostAccess", true), switched.node),
    ]
}

fn measure(contender: &Contender, node: &Node, peer: &Peer<'_>, round: u8) -> [f64; 2] {
    let container = node.container(&format!("carries-{round}"));
    let added = node.netns().run(|| {
        super::chain(contender, |link, previous: Option<&Value>| {
            contender.add(link, &container, previous)
        })
    });
    let result = added.success();
    let carried = Way::ALL.map(|way| peer.measure(&container, way, SECONDS) / 1e6);
    let deleted = node
        .netns()
        .run(|| super::chain(contender, |link, _| contender.del(link, &container, result)));
    deleted.success();
    carried
}

impl Carried {
    fn none(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ingress: Vec::new(),
            egress: Vec::new(),
        }
    }
}

/// Of either way.
fn medians(carried: &Carried) -> [f64; 2] {
    [&carried.ingress, &carried.egress].map(|all| Figures::new(all.iter().copied()).median())
}

impl fmt::Display for Carriers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(reference) = self.0.first() else {
            return Ok(());
        };
        writeln!(
            f,
            "| | ingress | ratio | egress | ratio |\n|---|--:|--:|--:|--:|"
        )?;
        let of_reference = medians(reference);
        for carried in &self.0 {
            let [arrived, left] = medians(carried);
            writeln!(
                f,
                "| {} | {:.2} Gbit/s | {:.2} | {:.2} Gbit/s | {:.2} |",
                carried.name,
                arrived / 1e3,
                arrived / of_reference[0],
                left / 1e3,
                left / of_reference[1],
            )?;
        }
        writeln!(
            f,
            "\nMedians of {} rounds of {SECONDS} s, one TCP connection of iperf3, MTU 1,500.",
            reference.ingress.len()
        )
    }
}
