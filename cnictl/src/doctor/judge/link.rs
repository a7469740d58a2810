//! The link that interfaces stand on, its VLANs, and who is behind it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use berth_cni::host::{Link, LinkKind};
use berth_cni::plan;
use berth_cni::spec::{Driver, LinkConfig};
use berth_types::VlanId;

use super::known;
use crate::doctor::line::Line;
use crate::doctor::seen::{Answers, Parent, Seen, SeenStore, Unseen};

/// It is there, up, and has a carrier.
pub(super) fn parent(config: &LinkConfig, seen: &Seen<Option<Parent>>) -> Line {
    let check = "parent";
    let parent = match known(check, seen, "run this on the node as root") {
        Ok(parent) => parent,
        Err(line) => return line,
    };
    let Some(Parent { link, carrier }) = parent else {
        return match &config.driver {
            Driver::Macvlan(macvlan) => {
                let names: Vec<_> = macvlan.master.iter().map(ToString::to_string).collect();
                let found = format!("master {} does not exist on this host", names.join(", "));
                Line::failure(check, found, "name an interface that `ip link` shows")
            }
            Driver::Ovs(ovs) => {
                let found = format!("bridge {} has no link on this host", ovs.bridge);
                Line::failure(check, found, "name a bridge that `ovs-vsctl list-br` shows")
            }
        };
    };
    let name = &link.name;
    match (&config.driver, link.up, carrier) {
        // A bridge switches, whatever its own link is.
        (Driver::Ovs(_), ..) | (_, true, true) => Line::ok(check, format!("{name} is there")),
        (_, false, _) => {
            let remedy = format!("ip link set {name} up");
            Line::failure(check, format!("{name} is down"), remedy)
        }
        (_, true, false) => Line::failure(
            check,
            format!("{name} has no carrier"),
            "look at its cable, its switch port, or the members of the bond",
        ),
    }
}

/// The MTU fits, by the very rule of ADD.
pub(super) fn mtu(config: &LinkConfig, seen: &Seen<Option<Parent>>) -> Option<Line> {
    let Ok(Some(Parent { link, .. })) = seen else {
        return None;
    };
    Some(match plan::mtu(config.mtu, link) {
        Ok(mtu) => Line::ok(
            "mtu",
            format!("{mtu} bytes on {}, which carries {}", link.name, link.mtu),
        ),
        Err(error) => Line::failure("mtu", error.message(), error.remedy()),
    })
}

/// The bridge is in the database, which answers.
pub(super) fn bridge(config: &LinkConfig, seen: &Seen<bool>) -> Line {
    let check = "ovs";
    let Driver::Ovs(ovs) = &config.driver else {
        return Line::skipped(check, "another driver");
    };
    let remedy = "check that ovsdb-server runs, and that \"ovsdb\" names its socket";
    match known(check, seen, remedy) {
        Err(line) => line,
        Ok(true) => Line::ok(
            check,
            format!("{} has bridge {}", ovs.socket.display(), ovs.bridge),
        ),
        Ok(false) => {
            let found = format!("{} has no bridge {}", ovs.socket.display(), ovs.bridge);
            Line::failure(check, found, format!("ovs-vsctl add-br {}", ovs.bridge))
        }
    }
}

/// Every VLAN that the configuration or a pool names can be had.
pub(super) fn vlans(
    config: &LinkConfig,
    parent: &Seen<Option<Parent>>,
    seen: &Seen<Vec<Link>>,
    store: &Seen<SeenStore>,
) -> Vec<Line> {
    let check = "vlan";
    let mut lines = Vec::new();
    let mut wanted: BTreeSet<VlanId> = config.vlan.into_iter().collect();
    let pools = store.iter().flat_map(|store| &store.pools);
    for (name, pool) in pools {
        let Ok(pool) = pool else { continue };
        let torn = |subnet| plan::vlan(config.vlan, [subnet]).err();
        if let Some(error) = pool.subnets.iter().find_map(torn) {
            let found = format!("pool {name}: {}", error.message());
            lines.push(Line::failure(check, found, error.remedy()));
        }
        wanted.extend(pool.subnets.iter().filter_map(|subnet| subnet.vlan));
    }
    let (Driver::Macvlan(_), Ok(Some(parent))) = (&config.driver, parent) else {
        return lines;
    };
    match known(check, seen, "run this on the node as root") {
        Err(line) if !wanted.is_empty() => lines.push(line),
        Err(_) => {}
        Ok(seen) => lines.extend(
            wanted
                .into_iter()
                .map(|vlan| sub_interface(vlan, &parent.link, seen)),
        ),
    }
    lines
}

fn sub_interface(vlan: VlanId, parent: &Link, seen: &[Link]) -> Line {
    let check = "vlan";
    let of = |link: &&Link| matches!(link.kind, LinkKind::Vlan(tag) if tag.id == vlan && tag.parent == parent.index);
    match seen.iter().find(of) {
        None => Line::ok(
            check,
            format!(
                "{vlan} on {}: its sub-interface is made with its first container",
                parent.name
            ),
        ),
        Some(link) if link.up => {
            Line::ok(check, format!("{vlan} on {}: {}", parent.name, link.name))
        }
        Some(link) => Line::failure(
            check,
            format!("{vlan} on {}: {} is down", parent.name, link.name),
            format!("ip link set {} up", link.name),
        ),
    }
}

/// Who answered a frame of an interface with a hardware address of its own.
pub(super) fn gateways(
    vlan: Option<VlanId>,
    parent: &Seen<Option<Parent>>,
    seen: &Seen<Answers>,
) -> Line {
    let check = "gateway";
    let on = parent.as_ref().ok().and_then(Option::as_ref);
    let mut on = on
        .map(|parent| parent.link.name.clone())
        .unwrap_or_default();
    if let Some(vlan) = vlan {
        on = format!("{on} in VLAN {vlan}");
    }
    let Answers {
        answered,
        only_parent,
        silent,
    } = match seen {
        Ok(answers) => answers,
        Err(Unseen::Failed(words)) => return no_interface(words),
        Err(_) => {
            return known(check, seen, "look at the host's load")
                .err()
                .unwrap_or_else(|| Line::skipped(check, ""));
        }
    };
    if !only_parent.is_empty() {
        let found = format!(
            "{} answers {on} itself, and no interface with a hardware address of its own on it",
            list(only_parent)
        );
        let remedy = "let the switch port or the hypervisor pass several hardware addresses: \
                      on a virtual switch allow promiscuous mode, forged transmits and MAC changes; \
                      else look at the port security of the switch";
        return Line::failure(check, found, remedy);
    }
    if !silent.is_empty() {
        let found = format!("{} does not answer on {on}", list(silent));
        let remedy = "see that it is up and in this VLAN, and that the pool names the right gateway: `cnictl pool show`";
        return Line::warning(check, found, remedy);
    }
    Line::ok(
        check,
        format!("{} answers a fresh interface on {on}", list(answered)),
    )
}

/// The temporary interface could not be had.
fn no_interface(words: &str) -> Line {
    let remedy = if words.contains("make macvlan") {
        "see that the kernel has macvlan (`modprobe macvlan`), and that this runs as root"
    } else {
        "run this on the node as root"
    };
    Line::failure(
        "gateway",
        format!("no temporary interface: {words}"),
        remedy,
    )
}

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    addresses.join(", ")
}
