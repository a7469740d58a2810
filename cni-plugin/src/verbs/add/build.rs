//! The claim and the link, made at the same time, and the link's shape.

use std::fs;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use berth_ipam::fault::checkpoint;
use berth_ipam::{Lease, uptime_ms};
use berth_types::MacAddr;
use ipnetwork::IpNetwork;
use nix::errno::Errno;

use super::Work;
use crate::clock::pause;
use crate::host::{Announce, Link, Netlink, NetlinkError, NetnsError};
use crate::plan::{Shape, Step};
use crate::spec::{CniError, Code, Mode, RouteEntry};
use crate::verbs::allocator::Allocator;
use crate::verbs::claim::{Unclaimed, claim};
use crate::verbs::detach;
use crate::verbs::takeover::Sandboxes;

/// For how long an interface may outlive its namespace, in milliseconds: the kernel removes it in
/// its own time, and until then it bears the hardware address that follows from its address.
const LINGERS_MS: u64 = 2000;

/// An interface that did not come to be; `linked` when its link was made.
pub(super) struct Unbuilt {
    pub(super) error: CniError,
    pub(super) linked: bool,
}

/// An interface as it stands.
pub(super) struct Built {
    pub(super) link: Link,
    /// The routes that were set; others were there already.
    pub(super) routes: Vec<RouteEntry>,
}

impl Work<'_> {
    /// Claims an address while the link is made, then shapes the link for it.
    pub(super) fn claim_and_build(
        &self,
        host: &mut Netlink,
    ) -> (
        Option<Allocator>,
        Result<Lease, Unclaimed>,
        Result<Built, Unbuilt>,
    ) {
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let inside = self
                .netns
                .start_within(scope, move || self.build(host, &told));
            let (allocator, claimed) = match Allocator::open(self.config) {
                Ok(allocator) => {
                    let claimed = self.claim(&allocator);
                    (Some(allocator), claimed)
                }
                Err(error) => (None, Err(Unclaimed::unsent(error))),
            };
            if let Ok(lease) = &claimed {
                // A builder that has failed no longer listens.
                drop(tell.send(lease.clone()));
            }
            drop(tell);
            let built = inside.and_then(|inside| self.netns.end(inside));
            let built = built.unwrap_or_else(|error| {
                Err(Unbuilt {
                    // Nothing was made in what could not be entered.
                    linked: !matches!(error, NetnsError::NotOne(_)),
                    error: error.into(),
                })
            });
            (allocator, claimed, built)
        })
    }

    fn claim(&self, allocator: &Allocator) -> Result<Lease, Unclaimed> {
        let (id, netns) = (self.id.clone(), self.netns.at().clone());
        let wish = &self.wanted.wish;
        let request = wish.request(id, self.incarnation.clone(), netns, self.mac);
        let sandboxes = Sandboxes {
            files: &self.files,
            own: &self.id,
        };
        claim(allocator, &request, &sandboxes)
    }

    /// Makes the link in the container's namespace, where this runs, and shapes it once the
    /// address is known. `host` asks on the node, wherever it is used.
    fn build(&self, host: &mut Netlink, lease: &Receiver<Lease>) -> Result<Built, Unbuilt> {
        host.create_macvlan(&self.macvlan, self.netns.as_fd())
            .map_err(|error| Unbuilt {
                error: self.explain(&error),
                linked: false,
            })?;
        checkpoint("add.linked");
        let shaped = || {
            let mut netlink = Netlink::open()?;
            let gone = || CniError::new(Code::Internal, "the new link has vanished");
            let fresh = netlink.link_by_name(&self.id.ifname)?.ok_or_else(gone)?;
            let unclaimed = |_| CniError::new(Code::Internal, "no address was claimed");
            let steps = self.shape(&lease.recv().map_err(unclaimed)?)?.steps()?;
            let mut routes = Vec::new();
            for step in &steps {
                routes.extend(self.take(&mut netlink, fresh.index, step)?);
            }
            let link = netlink.link_by_index(fresh.index)?.ok_or_else(gone)?;
            let addresses = netlink.addresses(link.index)?;
            verify(&steps, &link, &addresses)?;
            Ok(Built { link, routes })
        };
        shaped().map_err(|error| Unbuilt {
            error,
            linked: true,
        })
    }

    /// What the interface is to be.
    pub(super) fn shape(&self, lease: &Lease) -> Result<Shape, CniError> {
        let subnets = || lease.addresses.iter().map(|leased| &leased.subnet);
        if let Some(vlan) = subnets().find_map(|subnet| subnet.vlan) {
            let remedy = "this release makes no VLAN sub-interfaces: use a pool without a VLAN";
            return Err(CniError::field(
                &format!("vlan of pool {}", lease.pool),
                vlan,
                remedy,
            ));
        }
        Ok(Shape {
            addresses: lease
                .addresses
                .iter()
                .map(|leased| (leased.address, leased.subnet.clone()))
                .collect(),
            mac: (self.link.mode != Mode::Passthru).then_some(lease.mac),
            announce: if self.link.announce {
                Announce::WhenUp
            } else {
                Announce::Never
            },
        })
    }

    /// Applies one step; the route, when it set one.
    fn take(
        &self,
        netlink: &mut Netlink,
        index: u32,
        step: &Step,
    ) -> Result<Option<RouteEntry>, CniError> {
        let mut set = None;
        match step {
            Step::EnableIpv6 => enable_ipv6(self.id.ifname.as_str())?,
            Step::Prepare { mac, announce } => {
                let alias = detach::mark(&self.incarnation);
                let begun = uptime_ms();
                let mut prepared = netlink.prepare_link(index, &alias, *mac, *announce);
                while is_taken(&prepared) && uptime_ms().saturating_sub(begun) < LINGERS_MS {
                    pause();
                    prepared = netlink.prepare_link(index, &alias, *mac, *announce);
                }
                prepared.map_err(|error| match (error.errno(), self.mac, mac) {
                    (Some(Errno::EADDRINUSE), None, Some(mac)) => self.mac_conflict(*mac),
                    _ => self.explain(&error),
                })?;
            }
            Step::Address(address) => netlink.add_address(index, *address)?,
            Step::Up => netlink
                .link_up(index)
                .map_err(|error| self.explain(&error))?,
            Step::Route {
                destination,
                gateway,
            } => {
                // Of several interfaces with a default route the first one keeps it, as with the
                // reference plugins.
                match netlink.add_route(index, *destination, *gateway) {
                    Err(error) if error.errno() == Some(Errno::EEXIST) => {}
                    other => {
                        other?;
                        set = Some(RouteEntry {
                            dst: *destination,
                            gw: Some(*gateway),
                        });
                    }
                }
            }
        }
        checkpoint(match step {
            Step::EnableIpv6 => "add.ipv6",
            Step::Prepare { .. } => "add.prepared",
            Step::Address(_) => "add.addressed",
            Step::Up => "add.up",
            Step::Route { .. } => "add.routed",
        });
        Ok(set)
    }

    /// The hardware address that follows from the IP address is another interface's already.
    fn mac_conflict(&self, mac: MacAddr) -> CniError {
        let parent = &self.parent.name;
        let message = format!("hardware address {mac}: another interface on {parent} bears it");
        CniError::new(Code::AddressConflict, message).details(format!(
            "find it in the node's containers: ip -d link | grep -B1 {mac}"
        ))
    }

    /// The kernel's refusal in the words of the configuration.
    fn explain(&self, error: &NetlinkError) -> CniError {
        let Link { name: parent, .. } = &self.parent;
        let message = error.to_string();
        match error.errno() {
            Some(Errno::EEXIST) => {
                let ifname = &self.id.ifname;
                CniError::new(Code::InvalidEnvironment, format!("CNI_IFNAME: {ifname} exists already in the container"))
                    .details("use another interface name, or remove that link")
            }
            Some(Errno::EADDRINUSE) => match self.mac {
                Some(mac) => CniError::field("mac", mac, "another interface of this node has it: ask for another"),
                None => CniError::new(Code::AddressConflict, message).details(format!(
                    "another interface on {parent} bears the hardware address that follows from the IP address"
                )),
            },
            Some(Errno::EINVAL | Errno::EBUSY) => CniError::new(Code::InvalidConfig, message)
                .details(format!("{parent} cannot be the master of such a macvlan; is it in use otherwise?")),
            Some(Errno::ENETDOWN) => CniError::new(Code::TryAgain, message)
                .details(format!("bring {parent} up: ip link set {parent} up")),
            Some(Errno::EPERM) => CniError::new(Code::Internal, message).details("run the plugin as root"),
            _ => CniError::new(Code::Internal, message),
        }
    }
}

/// Whether another interface bears the hardware address.
fn is_taken(prepared: &Result<(), NetlinkError>) -> bool {
    let error = prepared.as_ref().err();
    error.is_some_and(|error| error.errno() == Some(Errno::EADDRINUSE))
}

/// Looks whether the interface is what the steps should have made of it.
fn verify(steps: &[Step], link: &Link, addresses: &[IpNetwork]) -> Result<(), CniError> {
    let missing = |what: String| {
        Err(CniError::new(
            Code::Internal,
            format!("interface {} has no {what}", link.name),
        )
        .details("something else on this node changes the container's links"))
    };
    for step in steps {
        match step {
            Step::Prepare { mac: Some(mac), .. } if link.mac != Some(*mac) => {
                return missing(format!("hardware address {mac}"));
            }
            Step::Address(address) if !addresses.contains(address) => {
                return missing(format!("address {address}"));
            }
            Step::Up if !link.up => return missing("carrier: it is down".into()),
            _ => {}
        }
    }
    Ok(())
}

/// Allows IPv6 on the interface and on `lo`, where a runtime has switched it off.
fn enable_ipv6(ifname: &str) -> Result<(), CniError> {
    for link in [ifname, "lo"] {
        let path = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
        let off = fs::read(&path).is_ok_and(|value| value.starts_with(b"1"));
        if off {
            fs::write(&path, b"0").map_err(|error| CniError::io(&path, &error))?;
        }
    }
    Ok(())
}
