//! Every kind of traffic by every kind of link, with every combination of what our side offloads.

use std::env;

use super::flows::{self, From};
use super::ground::{Family, Ground, Link, Offloads};

/// All in the long run; else those that differ the most.
fn combinations() -> Vec<Offloads> {
    if env::var_os("BERTH_LONG").is_some() {
        return Offloads::combinations();
    }
    vec![Offloads::ALL, Offloads::NONE]
}

fn by(link: Link) {
    let ground = Ground::new(link);
    for offloads in combinations() {
        ground.offload(offloads);
        for family in Family::ALL {
            for from in From::BOTH {
                let check = |kind: &str, traffic: &dyn Fn()| {
                    let case = format!("{link:?} {offloads:?} {family:?} {from:?}: {kind}");

                    ground.is_exact(&case, |_| traffic());
                };
                check("TCP in bulk", &|| {
                    flows::bulk(&ground, from, family, 3 << 20);
                });
                check("small TCP", &|| flows::small(&ground, from, family, 100));
                check("UDP", &|| {
                    flows::datagrams(&ground, from, family, &[0, 1, 64, 999, 1400]);
                });
                check("UDP in fragments", &|| {
                    flows::datagrams(&ground, from, family, &[1473, 9000, 9001]);
                });
                check("UDP in segments", &|| {
                    flows::segmented(&ground, from, family, 20);
                });
                check("pings", &|| flows::pings(&ground, from, family, 200));
            }
        }
        let case = format!("{link:?} {offloads:?}");
        ground.is_exact(&format!("{case}: questions"), flows::questions);
        ground.is_exact(&format!("{case}: tags"), |ground| flows::tagged(ground, 20));
    }
}

#[test]
fn case_1_and_2_and_3_a_macvlan_counts_what_is_on_the_wire() {
    by(Link::Macvlan);
}

#[test]
fn case_1_and_2_and_3_a_veth_counts_what_is_on_the_wire() {
    by(Link::Veth);
}

#[test]
fn case_4_and_21_the_nodes_end_of_a_port_counts_what_is_on_the_wire() {
    by(Link::Ovs);
}
