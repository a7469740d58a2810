//! Whether a frame of a hardware address of its own comes through to the gateway and back.

use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::AsFd as _;

use berth_cni::host::{Link, Macvlan, Netlink, NewVlan, VlanTag};
use berth_cni::spec::Mode;
use berth_cni::wire::{self, Schedule};
use berth_types::{IfName, MacAddr, VlanId};
use ipnetwork::IpNetwork;
use nix::errno::Errno;

use super::{failed, leave};
use crate::doctor::seen::{Answers, Seen, Unseen};

/// The name of the temporary interface, in a namespace where nothing else is.
const NAME: &str = "doctor";
/// The name of the one on top of it that tags.
const TAGGED: &str = "doctor-vlan";

/// Where gateways are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    /// The link that a container's interface would stand on.
    pub(super) parent: Link,
    /// The VLAN that frames have to be tagged with there, while it has no sub-interface.
    pub(super) vlan: Option<VlanId>,
}

/// Asks `gateways`, each with its subnet's prefix length, from a temporary macvlan on the parent
/// without an address; those that stay silent once more from the parent itself, where that is in
/// their VLAN.
///
/// The interface is in a namespace that lives as long as one thread does: it is gone with that,
/// also when this program is killed.
pub(super) fn ask(stand: &Stand, gateways: &[IpNetwork]) -> Seen<Answers> {
    let Stand { parent, vlan } = stand;
    let asked_by_parent = |silent: &[IpNetwork]| match (parent.mac, vlan) {
        (Some(mac), None) if !silent.is_empty() => answering(parent.index, mac, silent),
        _ => Ok(Vec::new()),
    };
    let mut host = Netlink::open().map_err(failed)?;
    let heard = std::thread::scope(|scope| {
        let asked = scope.spawn(|| from_macvlan(&mut host, stand, gateways));
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

fn from_macvlan(host: &mut Netlink, stand: &Stand, gateways: &[IpNetwork]) -> Seen<Vec<IpAddr>> {
    let Stand { parent, vlan } = stand;
    leave()?;
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
    let mut inside = Netlink::open().map_err(failed)?;
    let index = bring_up(&mut inside, &name)?;
    let index = match vlan {
        None => index,
        Some(vlan) => tag(&mut inside, index, *vlan)?,
    };
    answering(index, mac, gateways)
}

/// Puts an interface of the VLAN on top. On the parent itself it would be in the way of a container
/// that gets there first: of each VLAN an interface has one.
fn tag(inside: &mut Netlink, parent: u32, id: VlanId) -> Seen<u32> {
    let name: IfName = TAGGED.parse().map_err(failed)?;
    let tag = VlanTag {
        id,
        parent,
        group: 0,
    };
    let vlan = NewVlan {
        name: name.clone(),
        tag,
    };
    inside
        .create_vlan(&vlan)
        .map_err(|error| match error.errno() {
            Some(Errno::EOPNOTSUPP) => Unseen::Moot("the kernel has no 802.1Q".into()),
            _ => failed(error),
        })?;
    bring_up(inside, &name)
}

/// Brings up the interface; its index. Routers have nothing to say to it.
fn bring_up(inside: &mut Netlink, name: &IfName) -> Seen<u32> {
    // A kernel without IPv6 has no such file.
    drop(fs::write(
        format!("/proc/sys/net/ipv6/conf/{name}/accept_ra"),
        b"0",
    ));
    let link = inside.link_by_name(name).map_err(failed)?;
    let link = link.ok_or_else(|| failed("the temporary interface has vanished"))?;
    inside.link_up(link.index).map_err(failed)?;
    Ok(link.index)
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
