//! Whether a frame of a hardware address of its own comes through to the gateway and back.

use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::AsFd as _;

use berth_cni::host::{Link, Macvlan, Netlink};
use berth_cni::spec::Mode;
use berth_cni::wire::{self, Schedule};
use berth_types::{IfName, MacAddr};
use ipnetwork::IpNetwork;
use nix::sched::{CloneFlags, unshare};

use super::failed;
use crate::doctor::seen::{Answers, Seen};

/// The name of the temporary interface, in a namespace where nothing else is.
const NAME: &str = "doctor";

/// Asks `gateways`, each with its subnet's prefix length, from a temporary macvlan on `parent`
/// without an address; those that stay silent once more from the parent itself.
///
/// The interface is in a namespace that lives as long as one thread does: it is gone with that,
/// also when this program is killed.
pub(super) fn ask(parent: &Link, gateways: &[IpNetwork]) -> Seen<Answers> {
    let asked_by_parent = |silent: &[IpNetwork]| match parent.mac {
        Some(mac) if !silent.is_empty() => answering(parent.index, mac, silent),
        _ => Ok(Vec::new()),
    };
    let mut host = Netlink::open().map_err(failed)?;
    let heard = std::thread::scope(|scope| {
        let asked = scope.spawn(|| from_macvlan(&mut host, parent, gateways));
        asked
            .join()
            .map_err(|_panic| failed("the thread panicked"))?
    })?;
    let silent: Vec<_> = gateways
        .iter()
        .filter(|gateway| !heard.contains(&gateway.ip()))
        .copied()
        .collect();
    let heard_by_parent = asked_by_parent(&silent)?;
    let is_deaf = |gateway: &IpAddr| !heard_by_parent.contains(gateway);
    let silent = silent.iter().map(IpNetwork::ip).filter(is_deaf).collect();
    Ok(Answers {
        answered: heard.into_iter().collect(),
        only_parent: heard_by_parent.into_iter().collect(),
        silent,
    })
}

fn from_macvlan(host: &mut Netlink, parent: &Link, gateways: &[IpNetwork]) -> Seen<Vec<IpAddr>> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(failed)?;
    let here = File::open("/proc/thread-self/ns/net").map_err(failed)?;
    let name: IfName = NAME.parse().map_err(failed)?;
    let mac = fresh_mac()?;
    let macvlan = Macvlan {
        name: name.clone(),
        parent: parent.index,
        mode: Mode::Bridge,
        mtu: parent.mtu,
        mac: Some(mac),
    };
    host.create_macvlan(&macvlan, here.as_fd())
        .map_err(failed)?;
    // Routers have nothing to say to it. A kernel without IPv6 has no such file.
    drop(fs::write(
        format!("/proc/sys/net/ipv6/conf/{NAME}/accept_ra"),
        b"0",
    ));
    let mut inside = Netlink::open().map_err(failed)?;
    let link = inside.link_by_name(&name).map_err(failed)?;
    let link = link.ok_or_else(|| failed("the temporary interface has vanished"))?;
    inside.link_up(link.index).map_err(failed)?;
    answering(link.index, mac, gateways)
}

/// Those of `gateways` that answer a question which lays claim to no address.
fn answering(index: u32, mac: MacAddr, gateways: &[IpNetwork]) -> Seen<Vec<IpAddr>> {
    let asked = wire::probe(index, mac, gateways, schedule()?).map_err(failed)?;
    let heard = asked.conflicts.iter().chain(&asked.proxies);
    Ok(heard.map(|heard| heard.address).collect())
}

/// An address that no interface has: random, local, of one machine.
fn fresh_mac() -> Seen<MacAddr> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).map_err(failed)?;
    let [first, rest @ ..] = &mut bytes;
    *first = (*first & 0xfc) | 0x02;
    // Zeros would be no address.
    let [.., last] = rest;
    *last |= 1;
    MacAddr::from_bytes(bytes).map_err(failed)
}

fn schedule() -> Seen<Schedule> {
    let mut random = [0; Schedule::TIMES];
    getrandom::fill(&mut random).map_err(failed)?;
    Ok(Schedule::new(random))
}
