//! Asking and listening.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};

use berth_ipam::uptime_ms;
use berth_types::{Family, MacAddr};
use ipnetwork::IpNetwork;
use nix::errno::Errno;

use super::{
    Conflict, Port, Said, Schedule, announcement_frames, answers, conflict, ndp, probe_frame,
    proxy, question_frame, read,
};

/// For how long is listened for whoever answers for everything, in milliseconds.
const PROXY_MS: u64 = 90;

/// Asking that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A socket does not work.
    #[error("packet socket: {0}")]
    Socket(#[from] Errno),
    /// The kernel does not listen to the group of an address.
    #[error("multicast group of {address}: {source}")]
    Group {
        /// The address.
        address: Ipv6Addr,
        /// Why.
        source: io::Error,
    },
    /// No question went out.
    #[error("no frame about {address} could be sent: {errno}")]
    Unsent {
        /// The address.
        address: IpAddr,
        /// Why.
        errno: Errno,
    },
}

/// What was heard about addresses that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Who has one of them, or is about to take it.
    pub conflicts: Vec<Conflict>,
    /// Who answered for one of them and answers for everything: that proves nothing.
    pub proxies: Vec<Conflict>,
}

/// Asks whether anybody has one of `addresses`, each with its subnet, under the hardware address
/// that the interface has at the time. Takes 250 to 300 ms, and 90 more where somebody answers.
///
/// The interface is up, and has none of them.
///
/// # Errors
/// [`WireError`]: nobody was asked, so that silence would prove nothing.
pub fn probe(
    ifindex: u32,
    mac: MacAddr,
    addresses: &[IpNetwork],
    schedule: Schedule,
) -> Result<Asked, WireError> {
    let wanted: Vec<_> = addresses.iter().map(IpNetwork::ip).collect();
    let ports = open(ifindex, &wanted)?;
    let _groups = listen_to_groups(ifindex, &wanted)?;
    let questions: Vec<_> = wanted.iter().map(|a| (*a, probe_frame(mac, *a))).collect();
    let mut conflicts: Vec<Conflict> = Vec::new();
    converse(&ports, &questions, schedule, |said| {
        let found = conflict(said, &wanted, mac);
        conflicts.extend(found.filter(|found| !conflicts.contains(found)));
        Talk::GoesOn
    })?;
    let suspects = addresses.iter().filter(|subnet| {
        let heard = |conflict: &Conflict| conflict.address == subnet.ip();
        conflicts.iter().any(heard)
    });
    let nobodys: Vec<_> = suspects.filter_map(|subnet| proxy(*subnet)).collect();
    let proxies = find_proxies(&ports, mac, &nobodys)?;
    let of_proxy = |conflict: &Conflict| proxies.contains(&conflict.mac);
    let (proxies, conflicts) = conflicts.into_iter().partition(of_proxy);
    Ok(Asked { conflicts, proxies })
}

/// Asks for the hardware address of each gateway, from the interface's own address of its family;
/// those that did not answer within 300 ms.
///
/// # Errors
/// [`WireError`].
pub fn find_gateways(
    ifindex: u32,
    mac: MacAddr,
    gateways: &[(IpAddr, IpAddr)],
    schedule: Schedule,
) -> Result<Vec<IpAddr>, WireError> {
    let own: Vec<_> = gateways.iter().map(|(own, _)| *own).collect();
    let ports = open(ifindex, &own)?;
    let question = |(own, gateway): &(IpAddr, IpAddr)| {
        let frame = question_frame(mac, *own, *gateway)?;
        Some((*gateway, frame))
    };
    let questions: Vec<_> = gateways.iter().filter_map(question).collect();
    let mut silent: Vec<_> = gateways.iter().map(|(_, gateway)| *gateway).collect();
    converse(&ports, &questions, schedule, |said| {
        silent.retain(|gateway| !answers(said, *gateway));
        if silent.is_empty() {
            Talk::IsOver
        } else {
            Talk::GoesOn
        }
    })?;
    Ok(silent)
}

/// Tells the neighbours that the addresses are at `mac`.
///
/// # Errors
/// [`WireError`]; they find out by themselves, later.
pub fn announce(ifindex: u32, mac: MacAddr, addresses: &[IpAddr]) -> Result<(), WireError> {
    for address in addresses {
        let port = Port::open(ifindex, Family::of(*address))?;
        for frame in announcement_frames(mac, *address) {
            let unsent = |errno| WireError::Unsent {
                address: *address,
                errno,
            };
            port.send(&frame).map_err(unsent)?;
        }
    }
    Ok(())
}

/// Whether anything is still to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talk {
    GoesOn,
    IsOver,
}

/// Asks the questions as scheduled, and passes on what is said until the schedule or the listener
/// ends it.
fn converse(
    ports: &[Port],
    questions: &[(IpAddr, Vec<u8>)],
    schedule: Schedule,
    mut listen: impl FnMut(&Said) -> Talk,
) -> Result<(), WireError> {
    let begun = uptime_ms();
    let mut asked = 0;
    let mut unsent = vec![Some(Errno::ENETDOWN); questions.len()];
    while let Some(wait_ms) = schedule.wait(uptime_ms().saturating_sub(begun)) {
        let due = schedule.due(uptime_ms().saturating_sub(begun));
        if due > asked {
            asked = due;
            for ((_, question), unsent) in questions.iter().zip(&mut unsent) {
                *unsent = match send(ports, question) {
                    Ok(()) => None,
                    Err(errno) => unsent.and(Some(errno)),
                };
            }
        }
        Port::wait(ports, wait_ms)?;
        for port in ports {
            while let Some(frame) = port.receive()? {
                if let Some(said) = read(&frame)
                    && listen(&said) == Talk::IsOver
                {
                    return Ok(());
                }
            }
        }
    }
    let silent = questions.iter().zip(unsent);
    let first = silent.filter_map(|((address, _), unsent)| Some((*address, unsent?)));
    first.into_iter().next().map_or(Ok(()), |(address, errno)| {
        Err(WireError::Unsent { address, errno })
    })
}

/// Sends a question from the port that hears its answer; it is the one of its Ethernet type.
fn send(ports: &[Port], question: &[u8]) -> nix::Result<()> {
    let port = ports.iter().find(|port| port.speaks(question));
    port.ok_or(Errno::EAFNOSUPPORT)?.send(question)
}

/// Whoever answers for addresses that nobody can have.
fn find_proxies(
    ports: &[Port],
    mac: MacAddr,
    nobodys: &[IpAddr],
) -> Result<BTreeSet<MacAddr>, WireError> {
    let mut proxies = BTreeSet::new();
    for address in nobodys {
        send(ports, &probe_frame(mac, *address))?;
    }
    let begun = uptime_ms();
    let mut left = if nobodys.is_empty() { 0 } else { PROXY_MS };
    while left > 0 {
        Port::wait(ports, left)?;
        for port in ports {
            while let Some(frame) = port.receive()? {
                if let Some(Said::Has { address, mac }) = read(&frame)
                    && nobodys.contains(&address)
                {
                    proxies.insert(mac);
                }
            }
        }
        left = PROXY_MS.saturating_sub(uptime_ms().saturating_sub(begun));
    }
    Ok(proxies)
}

/// A port for each family that is spoken of.
fn open(ifindex: u32, addresses: &[IpAddr]) -> Result<Vec<Port>, WireError> {
    let families: BTreeSet<_> = addresses.iter().map(|a| Family::of(*a)).collect();
    let ports = families.into_iter().map(|f| Port::open(ifindex, f));
    Ok(ports.collect::<nix::Result<_>>()?)
}

/// Has the interface hear who else asks for an IPv6 address, and the switches deliver it, as long as
/// the answer is kept.
fn listen_to_groups(ifindex: u32, addresses: &[IpAddr]) -> Result<Vec<UdpSocket>, WireError> {
    let mut groups = Vec::new();
    for address in addresses {
        let IpAddr::V6(address) = *address else {
            continue;
        };
        let join = || {
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
            socket.join_multicast_v6(&ndp::solicited_node(address), ifindex)?;
            Ok(socket)
        };
        groups.push(join().map_err(|source| WireError::Group { address, source })?);
    }
    Ok(groups)
}
