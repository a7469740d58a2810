//! The claim and the link, made at the same time, and the link's shape.

use std::os::fd::AsFd as _;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use berth_ipam::Lease;
use berth_ipam::fault::checkpoint;
use ipnetwork::IpNetwork;

use super::Work;
use crate::bandwidth::Shaping;
use crate::host::{Announce, Link, Netlink, NetnsError};
use crate::plan::{NewLink, Shape, Step};
use crate::spec::{CniError, Code, RouteEntry};
use crate::verbs::allocator::Allocator;
use crate::verbs::claim::{Unclaimed, claim};
use crate::verbs::takeover::Sandboxes;

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
        let made = match &self.fresh {
            NewLink::Macvlan(macvlan) => host.create_macvlan(macvlan, self.netns.as_fd()),
        };
        made.map_err(|error| Unbuilt {
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
            mac: (!self.link.driver.keeps_parents_mac()).then_some(lease.mac),
            announce: if self.link.announce {
                Announce::WhenUp
            } else {
                Announce::Never
            },
            shaping: Shaping::of(self.wanted.limits, &self.incarnation, self.fresh.mtu()),
        })
    }
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
