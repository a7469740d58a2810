//! How much TCP the interfaces carry between a container and the LAN: berth's beside the reference,
//! both drivers, with and without host access. One at a time, in turn.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::contender::{Contender, Setup};
use crate::lan::{Lan, LanOptions, Node};
use crate::ovs::Ovs;
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

/// The middle one, or the lower of the two in the middle.
fn median(measured: &[f64]) -> f64 {
    let mut sorted = measured.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len().saturating_sub(1) / 2;
    sorted.get(middle).copied().unwrap_or_default()
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
        for carried in &self.0 {
            let [arrived, left] = [&carried.ingress, &carried.egress].map(|all| median(all));
            writeln!(
                f,
                "| {} | {:.2} Gbit/s | {:.2} | {:.2} Gbit/s | {:.2} |",
                carried.name,
                arrived / 1e3,
                arrived / median(&reference.ingress),
                left / 1e3,
                left / median(&reference.egress),
            )?;
        }
        writeln!(
            f,
            "\nMedians of {} rounds of {SECONDS} s, one TCP connection of iperf3, MTU 1,500.",
            reference.ingress.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_a_few_is_one_of_them() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0]) - 1.0).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }
}
